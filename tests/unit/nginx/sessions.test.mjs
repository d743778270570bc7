// The cookie that says who is signed in: whose it is, how long, and that nothing in it can be changed.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { freshNgx, load } from './njs.mjs';

const sessions = await load('sessions.js');
const DAY_MS = 86_400_000;

function know(name, bcrypt) {
    ngx.shared.accounts.set(`user:${name}`, JSON.stringify({ id: name, account: `user:${name}`, bcrypt }));
}

function valueOf(setCookie) {
    return /^unit_session=([^;]*);/.exec(setCookie)[1];
}

beforeEach(() => {
    freshNgx();
    process.env.APPLIANCE_NAME = 'unit';
    ngx.shared.accounts.set('session.secret', 'secret');
    know('ann@example.org', 'hash');
    know('bob', 'other');
    mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-27T12:00:00Z') });
});

afterEach(() => {
    mock.timers.reset();
    delete process.env.SESSION_DAYS;
});

test('the cookie carries the name of the appliance, and ends with the session', () => {
    assert.match(sessions.open('bob', false), /^unit_session=[\w.-]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax$/);
    process.env.SESSION_DAYS = '1';
    assert.match(sessions.open('bob', true), /; Max-Age=86400; HttpOnly; SameSite=Lax; Secure$/);
    assert.equal(sessions.close(true), 'unit_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure');
    process.env.APPLIANCE_NAME = 'two';
    assert.equal(sessions.cookieName(), 'two_session');
});

test('a session is its person’s until it ends', () => {
    const value = valueOf(sessions.open('ann@example.org', false));
    assert.equal(sessions.account(value).id, 'ann@example.org');
    mock.timers.tick(7 * DAY_MS);
    assert.equal(sessions.account(value).id, 'ann@example.org');
    mock.timers.tick(1);
    assert.equal(sessions.account(value), undefined);
});

test('a new password, another secret and a removed person end it', () => {
    const value = valueOf(sessions.open('bob', false));
    know('bob', 'new');
    assert.equal(sessions.account(value), undefined);
    know('bob', 'other');
    assert.equal(sessions.account(value).id, 'bob');
    ngx.shared.accounts.set('session.secret', 'another');
    assert.equal(sessions.account(value), undefined);
    ngx.shared.accounts.set('session.secret', 'secret');
    ngx.shared.accounts.delete('user:bob');
    assert.equal(sessions.account(value), undefined);
});

test('signing out ends each session of that person, and of nobody else', () => {
    const [before, copy] = [sessions.open('bob', false), sessions.open('bob', true)].map(valueOf);
    const other = valueOf(sessions.open('ann@example.org', false));
    sessions.endAll('bob');
    assert.equal(sessions.account(before), undefined);
    assert.equal(sessions.account(copy), undefined);
    assert.equal(sessions.account(other).id, 'ann@example.org');
    const after = valueOf(sessions.open('bob', false));
    assert.equal(sessions.account(after).id, 'bob');
    sessions.endAll('bob');
    assert.equal(sessions.account(after), undefined);
    assert.equal(sessions.account(before), undefined);
    assert.deepEqual(ngx.logged, []);
});

test('nginx’s restart brings no session back that was ended', () => {
    const value = valueOf(sessions.open('ann@example.org', false));
    sessions.endAll('ann@example.org');
    freshNgx();
    ngx.shared.accounts.set('session.secret', 'secret');
    know('ann@example.org', 'hash');
    assert.equal(sessions.account(value), undefined);
    assert.equal(sessions.account(valueOf(sessions.open('ann@example.org', false))).id, 'ann@example.org');
});

test('nothing in it can be changed', () => {
    const value = valueOf(sessions.open('bob', false));
    const [name, expires, mac] = value.split('.');
    const others = valueOf(sessions.open('ann@example.org', false)).split('.');
    for (let at = 0; at < value.length; at++) {
        // the last character of a MAC has bits that stand for nothing: it, too, must be the very same
        const changed = `${value.slice(0, at)}${value[at] === 'A' ? 'B' : 'A'}${value.slice(at + 1)}`;
        assert.equal(sessions.account(changed), undefined, changed);
    }
    for (const made of [
        undefined, '', '.', '..', '...', name, `${name}.${expires}`, `${name}.${expires}.`, `${name}..${mac}`, `.${expires}.${mac}`,
        `${value}.`, `${value}A`, value.slice(0, -1), `${others[0]}.${expires}.${mac}`, `${name}.${expires}.${others[2]}`,
        `${name}.0${expires}.${mac}`, `${name}.1e12.${mac}`, `${name}.-1.${mac}`, `${name}.9999999999999.${mac}`,
        `${Buffer.from('__proto__').toString('base64url')}.${expires}.${mac}`,
    ]) {
        assert.equal(sessions.account(made), undefined, made);
    }
    assert.equal(sessions.account(value).id, 'bob');
});
