// Who is signed in: a cookie that says a name and an end, with a MAC over both and over the person's password hash. So a new
// password or a removed person ends every session at once, and nothing is stored on the server.

import crypto from 'crypto';
import accounts from 'accounts.js';

const DAY_S = 86400;

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
    return crypto.createHmac('sha256', accounts.sessionSecret())
        .update(`${person.id}|${expires}|${person.bcrypt}`).digest('base64url');
}

// Takes as long for a near miss as for a wild guess.
function same(expected, given) {
    let difference = expected.length ^ given.length;
    for (let i = 0; i < expected.length; i++) {
        difference |= expected.charCodeAt(i) ^ given.charCodeAt(i);
    }
    return difference === 0;
}

export default { cookieName, open, close, account };
