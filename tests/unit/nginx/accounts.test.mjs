// Who may come in: the files of the access directory, and what stays in force when one cannot be used.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { freshNgx, load } from './njs.mjs';

const accounts = await load('accounts.js');
const KEY = { name: 'ci', sha256: 'aa', rpm: 60 };
const USER = { name: 'ann', bcrypt: '$2b$10$x' };
const files = {};   // what lies in /access
let written = 0;

function write(name, content) {
    files[name] = { text: typeof content === 'string' ? content : JSON.stringify(content), inode: ++written };
}

function file(path) {
    const found = files[path.replace('/access/', '')];
    if (found === undefined) {
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    }
    return found;
}

beforeEach(() => {
    freshNgx();
    Object.keys(files).forEach(name => delete files[name]);
    mock.method(fs, 'statSync', path => ({ ino: file(path).inode, size: 1, mtimeMs: 1 }));
    mock.method(fs, 'readFileSync', path => file(path).text);
});

afterEach(() => {
    mock.reset();
    delete process.env.BIND_ADDRESS;
    delete process.env.SSO_URL;
});

test('keys and people are known by what proves them', () => {
    write('keys.json', { keys: [{ ...KEY, expires: '2027-01-31T00:00:00Z' }] });
    write('users.json', { users: [{ ...USER, concurrent: 2 }] });
    write('session.secret', 'secret\n');
    accounts.ensureLoaded();
    assert.deepEqual(accounts.byKey('aa'), {
        id: 'aa', account: 'key:ci', expires: Date.parse('2027-01-31T00:00:00Z'), rpm: 60, concurrent: null, daily_tokens: null,
    });
    assert.deepEqual(accounts.byName('ann'), {
        id: 'ann', account: 'user:ann', bcrypt: '$2b$10$x', rpm: null, concurrent: 2, daily_tokens: null,
    });
    assert.equal(accounts.sessionSecret(), 'secret');
    assert.equal(accounts.byKey('ci'), undefined);
    assert.equal(accounts.byName('aa'), undefined);
});

test('a change is taken over, whoever is gone is unknown', () => {
    write('keys.json', { keys: [KEY, { ...KEY, name: 'old', sha256: 'bb' }] });
    accounts.refresh();
    write('keys.json', { keys: [{ ...KEY, rpm: 1 }] });
    accounts.refresh();
    assert.equal(accounts.byKey('aa').rpm, 1);
    assert.equal(accounts.byKey('bb'), undefined);
    delete files['keys.json'];
    accounts.refresh();
    assert.equal(accounts.byKey('aa'), undefined);
    assert.equal(accounts.apiIsClosed(), false);
});

for (const [name, content] of Object.entries({
    'half a file': '{"keys": [',
    'no list': { keys: {} },
    'a key without a digest': { keys: [{ name: 'ci' }] },
    'a key without a name': { keys: [{ sha256: 'aa' }] },
    'a limit that is none': { keys: [{ ...KEY, rpm: 0 }] },
    'an end that is no time': { keys: [{ ...KEY, expires: 'soon' }] },
})) {
    test(`${name}: what was known before stays in force`, () => {
        write('keys.json', { keys: [KEY] });
        accounts.refresh();
        write('keys.json', content);
        accounts.refresh();
        accounts.refresh();
        assert.equal(accounts.byKey('aa').account, 'key:ci');
        assert.equal(ngx.logged.length, 1, 'said once a change');
        assert.match(ngx.logged[0], /^error: access: keys\.json cannot be used/);
    });

    test(`${name}, and nothing was known before: the door stays shut`, () => {
        write('keys.json', content);
        accounts.refresh();
        assert.equal(accounts.apiIsClosed(), true);
        write('keys.json', { keys: [] });
        accounts.refresh();
        assert.equal(accounts.apiIsClosed(), false);
    });
}

test('no room for another key: what was known before stays in force', () => {
    write('keys.json', { keys: [KEY] });
    accounts.refresh();
    ngx.shared.accounts.room = ngx.shared.accounts.size();
    write('keys.json', { keys: [KEY, { ...KEY, name: 'new', sha256: 'bb' }] });
    accounts.refresh();
    assert.equal(accounts.byKey('aa').account, 'key:ci');
    assert.match(ngx.logged[0], /not enough space/);
});

test('who is asked depends on who can reach the door, and on whom it knows', () => {
    const closed = () => [accounts.apiIsClosed(), accounts.pageIsClosed()];
    accounts.refresh();
    assert.deepEqual(closed(), [false, false]);
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '[::1]']) {
        process.env.BIND_ADDRESS = address;
        assert.deepEqual(closed(), [false, false], address);
    }
    for (const address of ['0.0.0.0', '192.168.1.5', '::', '1.127.0.0']) {
        process.env.BIND_ADDRESS = address;
        assert.deepEqual(closed(), [true, true], address);
    }
    delete process.env.BIND_ADDRESS;
    process.env.SSO_URL = 'http://sso';
    assert.deepEqual(closed(), [false, true]);
    delete process.env.SSO_URL;
    write('users.json', { users: [USER] });
    accounts.refresh();
    assert.deepEqual(closed(), [false, true]);
    write('keys.json', { keys: [KEY] });
    accounts.refresh();
    assert.deepEqual(closed(), [true, true]);
});
