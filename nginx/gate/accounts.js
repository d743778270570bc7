// Who may come in: keys and people, read from the access directory that scripts/appliance writes.
//
// Owns the shared dictionary `accounts`: one entry a key (by the SHA-256 of the whole key) and one a person. A file is read
// again within a second of its change; one that cannot be read or parsed is logged and ignored, so what was known stays in
// force; while nothing is known the door stays shut. Only a file that is not there means that there is nobody.
// Knows nothing of requests.

import fs from 'fs';
import limits from 'limits.js';

const FOLDER = '/access/';
const FILES = {
    keys: parseKeys,
    users: parseUsers,
};
const LOADED = 'loaded';
const EVERYTHING = 100000;
// As `callers` knows it, too.
const LOOPBACK = /^(127\..*|\[?(::1|::ffff:127\..*?)\]?)$/i;

function dictionary() {
    return ngx.shared.accounts;
}

// The account behind a key's SHA-256 (hex), or undefined. Limits are null where there is none.
function byKey(sha256) {
    return entry('key:' + sha256);
}

// The account of a person, or undefined.
function byName(name) {
    return entry('user:' + name);
}

function entry(name) {
    const found = dictionary().get(name);
    return found === undefined ? undefined : JSON.parse(found);
}

// Whether the API asks for a key: as soon as there is one, and always where other machines can reach it.
function apiIsClosed() {
    return isPublished() || isKnown('any:keys') || isKnown('unread:keys.json');
}

// Whether the page asks who it is.
function pageIsClosed() {
    return isPublished() || Boolean(process.env.SSO_URL) || isKnown('any:users') || isKnown('unread:users.json');
}

function isKnown(name) {
    return dictionary().get(name) !== undefined;
}

function isPublished() {
    return !LOOPBACK.test(process.env.BIND_ADDRESS || '127.0.0.1');
}

// The MAC key of the sessions, or undefined before the first user.
function sessionSecret() {
    return dictionary().get('session.secret');
}

// Before the first tick of the timer a request loads the files itself: unread is not the same as empty.
function ensureLoaded() {
    if (!isKnown(LOADED)) {
        refresh();
    }
}

// Reads what changed. Called every second by a timer in one worker.
function refresh() {
    for (const name in FILES) {
        refreshFile(name + '.json', text => replaceAll(name, FILES[name](JSON.parse(text))));
    }
    refreshFile('session.secret', text => {
        if (text.trim() === '') {
            dictionary().delete('session.secret');
        } else {
            dictionary().set('session.secret', text.trim());
        }
    });
    dictionary().set(LOADED, '1');
}

function refreshFile(file, take) {
    const stamp = stampOf(FOLDER + file);
    if (dictionary().get('stamp:' + file) === stamp) {
        return;
    }
    try {
        take(stamp === 'absent' ? '{}' : fs.readFileSync(FOLDER + file, 'utf8'));
        dictionary().set('read:' + file, '1');
        dictionary().delete('unread:' + file);
    } catch (error) {
        if (!isKnown('read:' + file)) {
            dictionary().set('unread:' + file, '1');
        }
        ngx.log(ngx.ERR, `access: ${file} cannot be used, what was known before stays in force: ${error.message}`);
    }
    dictionary().set('stamp:' + file, stamp);
}

// Changes with every atomic replacement (another inode), and with a chmod or chown, after which a file may be readable again.
function stampOf(path) {
    try {
        const stat = fs.statSync(path);
        return `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    } catch (error) {
        return error.code === 'ENOENT' ? 'absent' : 'unreadable';
    }
}

function replaceAll(kind, accounts) {
    const prefix = kind === 'keys' ? 'key:' : 'user:';
    const wanted = {};
    accounts.forEach(account => {
        wanted[prefix + account.id] = JSON.stringify(account);
    });
    for (const name in wanted) {
        dictionary().set(name, wanted[name]);
    }
    dictionary().keys(EVERYTHING).forEach(name => {
        if (name.startsWith(prefix) && !(name in wanted)) {
            dictionary().delete(name);
        }
    });
    if (accounts.length > 0) {
        dictionary().set('any:' + kind, '1');
    } else {
        dictionary().delete('any:' + kind);
    }
}

function parseKeys(document) {
    return list(document.keys).map(key => Object.assign({
        id: text(key.sha256, 'sha256'),
        account: 'key:' + text(key.name, 'name'),
        expires: key.expires ? moment(key.expires) : null,
    }, limits.of(key)));
}

function parseUsers(document) {
    return list(document.users).map(user => Object.assign({
        id: text(user.name, 'name'),
        account: 'user:' + user.name,
        bcrypt: text(user.bcrypt, 'bcrypt'),
    }, limits.of(user)));
}

function list(value) {
    if (value === undefined) {
        return [];
    }
    if (!Array.isArray(value)) {
        throw new Error('expected a list');
    }
    return value;
}

function text(value, field) {
    if (typeof value !== 'string' || value === '') {
        throw new Error(`expected a text in ${field}`);
    }
    return value;
}

function moment(value) {
    const time = Date.parse(value);
    if (isNaN(time)) {
        throw new Error(`expected a time in expires, found ${value}`);
    }
    return time;
}

export default { byKey, byName, apiIsClosed, pageIsClosed, sessionSecret, ensureLoaded, refresh };
