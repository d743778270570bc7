// Who is signed in: a cookie that says a name and an end, with a MAC over both and over the person's password hash. So a new
// password or a removed person ends every session at once. Signing out does, too: a number of that person's, which the MAC
// covers, is raised; it lies in a small file of its own, so that it outlives nginx. Nothing else is stored on the server.

import crypto from 'crypto';
import fs from 'fs';
import accounts from 'accounts.js';

const DAY_S = 86400;
const FOLDER = '/state/signed-out/';

// Cookies know no port: the appliance's name keeps two of one host apart.
function cookieName() {
    return `${process.env.APPLIANCE_NAME}_session`;
}

// The Set-Cookie value that signs a person in.
function open(name, secure) {
    const days = Number(process.env.SESSION_DAYS || 7);
    const expires = Math.floor(Date.now() / 1000) + days * DAY_S;
    const value = `${Buffer.from(name).toString('base64url')}.${expires}.${mac(accounts.byName(name), expires)}`;
    return cookie(value, days * DAY_S, secure);
}

// The Set-Cookie value that signs out.
function close(secure) {
    return cookie('', 0, secure);
}

function cookie(value, seconds, secure) {
    return `${cookieName()}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
}

// The account of a valid cookie value, or undefined.
function account(value) {
    const parts = (value || '').split('.');
    if (parts.length !== 3 || !/^\d{1,12}$/.test(parts[1]) || Number(parts[1]) * 1000 < Date.now()) {
        return undefined;
    }
    const person = accounts.byName(Buffer.from(parts[0], 'base64url').toString());
    return person !== undefined && same(mac(person, parts[1]), parts[2]) ? person : undefined;
}

function mac(person, expires) {
    const ended = timesEnded(person.id);
    return crypto.createHmac('sha256', accounts.sessionSecret())
        .update(`${person.id}|${expires}|${person.bcrypt}${ended > 0 ? `|${ended}` : ''}`).digest('base64url');
}

// Ends every session of a person, on whichever device.
function endAll(name) {
    const ended = timesEnded(name) + 1;
    ngx.shared.accounts.set('ended:' + name, String(ended));
    try {
        fs.mkdirSync(FOLDER, { recursive: true });
        fs.writeFileSync(fileOf(name) + '.new', String(ended));
        fs.renameSync(fileOf(name) + '.new', fileOf(name));
    } catch (error) {
        ngx.log(ngx.ERR, `sessions: a restart would bring back those that ${name} ended: ${error.message}`);
    }
}

// How often that was done.
function timesEnded(name) {
    const known = ngx.shared.accounts.get('ended:' + name);
    if (known !== undefined) {
        return Number(known);
    }
    const ended = readEnded(name);
    ngx.shared.accounts.set('ended:' + name, String(ended));
    return ended;
}

function readEnded(name) {
    try {
        return Number(fs.readFileSync(fileOf(name), 'utf8')) || 0;
    } catch (error) {
        if (error.code !== 'ENOENT') {
            ngx.log(ngx.ERR, `sessions: which ones ${name} ended cannot be read: ${error.message}`);
        }
        return 0;
    }
}

function fileOf(name) {
    return FOLDER + Buffer.from(name).toString('base64url');
}

// Takes as long for a near miss as for a wild guess.
function same(expected, given) {
    let difference = expected.length ^ given.length;
    for (let i = 0; i < expected.length; i++) {
        difference |= expected.charCodeAt(i) ^ given.charCodeAt(i);
    }
    return difference === 0;
}

export default { cookieName, open, close, account, endAll };
