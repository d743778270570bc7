// The checks at the door: who is let in, and whose requests are held to limits.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { freshNgx, load, request } from './njs.mjs';

const gate = await load('gate.js');
const ledger = await load('ledger.js');
const limits = await load('limits.js');
const sessions = await load('sessions.js');
const ENTRY = { account: 'key:ci', id: 'aa', expires: null, ...limits.of({}) };
const BEARER = { Authorization: 'Bearer sk-1' };

function know(key, fields) {
    ngx.shared.accounts.set(key, JSON.stringify({ ...ENTRY, ...fields }));
}

function ask(check, variables = {}, rest = {}) {
    const r = request({ variables, ...rest });
    check(r);
    return r;
}

beforeEach(() => {
    freshNgx();
    ngx.shared.accounts.set('loaded', '1');   // nothing is read from /access
});

afterEach(() => {
    mock.timers.reset();
    delete process.env.BIND_ADDRESS;
    delete process.env.MAX_CONCURRENT_REQUESTS;
});

function close() {
    process.env.BIND_ADDRESS = '0.0.0.0';
    know(`key:${crypto.createHash('sha256').update('sk-1').digest('hex')}`, {});
}

test('the API is open on this machine while there is no key, to addresses only', () => {
    for (const host of ['localhost', '127.0.0.1', '192.168.1.5', '[::1]', '[::ffff:127.0.0.1]']) {
        assert.equal(ask(gate.api, { host, counted: 'yes' }).variables.admitted, '1', host);
    }
    for (const host of ['example.org', 'localhost.example.org', '127.0.0.1.example.org', '']) {
        const r = ask(gate.api, { host, counted: 'yes' });
        assert.equal(r.sent.status, 403, host);
        assert.equal(r.variables.admitted, '', host);
    }
});

test('TGI’s clients find an error type of TGI’s or none, and what it is in the code', () => {
    close();
    const hash = crypto.createHash('sha256').update('sk-1').digest('hex');
    const refusal = (fields, headersIn = BEARER) => {
        know(`key:${hash}`, fields);
        return JSON.parse(ask(gate.api, { counted: 'yes' }, { uri: '/generate', headersIn }).sent.body);
    };
    const parts = ({ error_type, code }) => [error_type, code];
    assert.deepEqual(parts(refusal({}, {})), [undefined, 'unauthorized']);
    ngx.shared.usage.set(`${new Date().toISOString().slice(0, 10)}|key:ci|prompt_tokens`, 5);
    assert.deepEqual(parts(refusal({ daily_tokens: 5 })), [undefined, 'budget_spent']);
    ask(gate.api, { counted: 'yes' }, { headersIn: BEARER });
    know(`key:${hash}`, { rpm: 1 });
    ask(gate.api, { counted: 'yes' }, { headersIn: BEARER });
    assert.deepEqual(parts(refusal({ rpm: 1 })), ['overloaded', 'rate_limited']);
    ngx.shared.running.set('key:ci', 1);
    assert.deepEqual(parts(refusal({ concurrent: 1 })), ['overloaded', 'too_many_running']);
});

test('signing out ends the session, and a stranger’s signing out nobody’s', () => {
    process.env.APPLIANCE_NAME = 'unit';
    ngx.shared.accounts.set('session.secret', 'secret');
    know('user:bob', { id: 'bob', account: 'user:bob', bcrypt: 'hash' });
    const cookie = /=([^;]*);/.exec(sessions.open('bob', false))[1];
    for (const [given, left] of [['made.up.value', 'bob'], [undefined, 'bob'], [cookie, undefined]]) {
        const r = ask(gate.signOut, { cookie_unit_session: given, scheme: 'http' });
        assert.deepEqual([r.sent.status, r.sent.body], [303, '/login']);
        assert.equal(sessions.account(cookie)?.id, left, String(given));
    }
});

test('while nobody is asked, no page but its own may send anything', () => {
    const from = (Origin, check = gate.api) => ask(
        check, { host: '127.0.0.1', counted: 'yes' }, { headersIn: { Host: '127.0.0.1:8080', Origin } });
    for (const origin of ['http://127.0.0.1:8080', 'https://127.0.0.1:8080', undefined]) {
        assert.equal(from(origin).variables.admitted, '1', origin);
    }
    for (const origin of ['null', '', 'https://example.org', 'http://127.0.0.1', 'http://localhost:8080', 'x://127.0.0.1:8080']) {
        assert.deepEqual([from(origin).sent.status, from(origin).variables.refused], [403, 'origin'], origin);
        assert.equal(from(origin, gate.page).sent.status, 403, origin);
    }
});

test('a loopback address is one however it is written', () => {
    for (const [address, open] of [['127.0.0.1', 1], ['127.9.9.9', 1], ['::1', 1], ['[::1]', 1], ['::ffff:127.0.0.1', 1],
        ['[::FFFF:127.0.0.1]', 1], ['0.0.0.0', 0], ['::', 0], ['192.168.1.5', 0], ['::ffff:192.168.1.5', 0], ['::1:2', 0]]) {
        process.env.BIND_ADDRESS = address;
        assert.equal(ask(gate.api, { host: 'localhost', counted: 'yes' }).variables.admitted, open ? '1' : '', address);
    }
});

test('a key is compared as a whole, and only as a bearer', () => {
    close();
    for (const Authorization of ['Bearer sk-1', 'bearer  sk-1']) {
        assert.equal(ask(gate.api, {}, { headersIn: { Authorization } }).variables.account, 'key:ci', Authorization);
    }
    for (const Authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer sk-', 'Bearer sk-11', 'Basic sk-1', 'Bearer sk-1 x', 'sk-1']) {
        const r = ask(gate.api, { counted: 'yes' }, { headersIn: { Authorization } });
        assert.equal(r.sent.status, 401, Authorization);
        assert.equal(r.variables.refused, 'unauthorized');
    }
});

test('a key ends in time', () => {
    close();
    mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
    know(`key:${crypto.createHash('sha256').update('sk-1').digest('hex')}`, { expires: 1_000_001 });
    assert.equal(ask(gate.api, {}, { headersIn: BEARER }).sent.status, undefined);
    mock.timers.tick(1);
    assert.equal(ask(gate.api, {}, { headersIn: BEARER }).sent.status, 401);
});

test('what the table counts is held to limits; what it does not, and what is no POST, is not', () => {
    close();
    know(`key:${crypto.createHash('sha256').update('sk-1').digest('hex')}`, { rpm: 1 });
    const once = (counted, method) => ask(gate.api, { counted }, { method, headersIn: BEARER });
    for (const [counted, method] of [['', 'GET'], ['', 'POST'], ['yes', 'GET']]) {
        const r = once(counted, method);
        assert.deepEqual([r.variables.account, r.variables.admitted, r.sent.status], ['key:ci', '', undefined]);
    }
    assert.equal(once('yes', 'POST').variables.admitted, '1');
    const refused = once('yes', 'POST');
    assert.deepEqual([refused.variables.admitted, refused.sent.status, refused.variables.refused], ['', 429, 'rate']);
    assert.ok(Number(refused.headersOut['Retry-After']) >= 1);
});

test('the chat replicas’ calls are booked to the person whom they name', () => {
    know('user:ann', { account: 'user:ann', concurrent: 1 });
    const called = name => ask(gate.internal, { counted: 'yes' }, { headersIn: { 'X-User': name } });
    assert.equal(called('ann').variables.account, 'user:ann');
    assert.equal(called('ann').sent.status, 429);
    assert.equal(called('guest@example.org').variables.account, 'user:guest@example.org');
    for (const name of [undefined, '', 'a b', 'x|y', '"', '-x', 'a'.repeat(129)]) {
        assert.equal(called(name).variables.account, '-', name);
    }
});

test('a refusal has the shape that its route’s callers parse', () => {
    close();
    const openai = JSON.parse(ask(gate.api, {}, { uri: '/v1/models' }).sent.body);
    assert.equal(openai.error.code, 'invalid_api_key');
    assert.equal(JSON.parse(ask(gate.api, {}, { uri: '/generate' }).sent.body).code, 'unauthorized');
});

test('no room to count a request: it is refused in the shape that its route’s callers parse', () => {
    ngx.shared.running.room = 0;
    const openai = ask(gate.api, { counted: 'yes' }, { uri: '/v1/chat/completions' });
    assert.equal(openai.sent.status, 503);
    assert.equal(JSON.parse(openai.sent.body).error.code, 'overloaded');
    assert.equal(openai.headersOut['Retry-After'], '5');
    assert.equal(JSON.parse(ask(gate.api, { counted: 'yes' }).sent.body).error_type, 'overloaded');
});

test('with the engine full, a program and the page are refused in its own words, until somebody’s answer ends', () => {
    process.env.MAX_CONCURRENT_REQUESTS = '1';
    const generated = (check, uri) => ask(check, { counted: 'yes', frames: 'tgi' }, { uri });
    const first = generated(gate.api, '/generate_stream');
    assert.equal(first.variables.admitted, '1');
    for (const [check, uri] of [[gate.api, '/generate'], [gate.api, '/generate_stream'], [gate.internal, '/generate_stream']]) {
        const { sent, headersOut, variables } = generated(check, uri);
        assert.deepEqual([sent.status, headersOut['Retry-After'], variables.refused], [429, '5', 'full']);
        assert.deepEqual(JSON.parse(sent.body), { error: 'Model is overloaded', error_type: 'overloaded' });
    }
    const openai = JSON.parse(generated(gate.api, '/v1/chat/completions').sent.body);
    assert.deepEqual(openai.error, { message: 'Model is overloaded', type: 'service_unavailable', param: null, code: 'overloaded' });
    assert.equal(ask(gate.api, { counted: 'yes' }, { uri: '/tokenize' }).variables.admitted, '1');

    ledger.settle(first);
    assert.equal(generated(gate.internal, '/generate_stream').variables.admitted, '1');
});

test('the page’s joins and counts are held to the person’s rate; the service’s own questions are not', async () => {
    process.env.SSO_URL = 'http://sso';
    try {
        know('user:ann', { account: 'user:ann', rpm: 1 });
        const join = async () => {
            const r = request({ uri: '/gradio_api/queue/join' });
            r.subrequest = async () => ({ status: 200, headersOut: { 'X-Auth-Request-User': 'ann' } });
            await gate.action(r);
            return r.sent.status;
        };
        const joins = [];
        for (let i = 0; i < 7; i++) {
            joins.push(await join());
        }
        assert.deepEqual(joins, [...Array(5).fill(undefined), 429, 429]);
        const counts = name => Array.from({ length: 101 }, () => ask(gate.question, {}, { headersIn: { 'X-User': name } }).sent.status);
        assert.equal(counts('ann').filter(status => status === 429).length, 1);
        assert.equal(counts('').filter(status => status === 429).length, 0);
    } finally {
        delete process.env.SSO_URL;
    }
});
