// What is booked at a request's end, and that a dictionary without room costs the figure, never the request.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { freshNgx, load, request } from './njs.mjs';

const ledger = await load('ledger.js');
const limits = await load('limits.js');
const meter = await load('meter.js');
const metrics = await load('metrics.js');
const usage = await load('usage.js');
const ACCOUNT = 'key:a';
const HEADERS = { upstream_http_x_prompt_tokens: '11', upstream_http_x_generated_tokens: '3' };

// A request that was let in, and has been answered.
function answered(variables = {}, rest = {}) {
    meter.begin();
    assert.equal(limits.admit({ account: ACCOUNT, ...limits.of({}) }), undefined);
    const known = { account: ACCOUNT, admitted: '1', route: 'generate', prompt_counter: '/tokenize', first_byte: '0.1' };
    return request({ variables: { ...known, ...variables }, ...rest });
}

const booked = () => Object.fromEntries(ngx.shared.usage.items().map(([key, value]) => [key.split('|').slice(1).join('|'), value]));
const places = () => limits.inFlight().map(([, count]) => count);

beforeEach(() => freshNgx());

test('what TGI says in its headers is booked', () => {
    const r = answered(HEADERS);
    assert.equal(ledger.settle(r), '11');
    assert.equal(r.variables.generated_tokens, '3');
    assert.deepEqual(booked(), { 'key:a|requests': 1, 'key:a|prompt_tokens': 11, 'key:a|generated_tokens': 3 });
    assert.deepEqual(places(), [0]);
});

test('a refused request is booked as refused, and holds no place', () => {
    const r = request({ variables: { account: ACCOUNT, refused: 'rate', route: 'chat' } });
    assert.equal(ledger.settle(r), 'null');
    assert.deepEqual(booked(), { 'key:a|refused': 1 });
    assert.equal(ngx.shared.counters.get('appliance_refused_total{account="key:a",reason="rate"}'), 1);
});

for (const [frames, counter, body, answer, sent, tokens] of [
    ['tgi', '/tokenize', { inputs: 'a b', prompt: 'x' }, [1, 2], { inputs: 'a b' }, 2],
    ['openai', '/count/v1/completions', { prompt: ['a', 'b c'] }, { tokens: 3 }, { prompt: ['a', 'b c'] }, 3],
    ['openai', '/count/v1/chat/completions', { messages: [], n: 1 }, { tokens: 4 }, { messages: [], n: 1 }, 4],
]) {
    test(`a stream that did not say how long its prompt was is counted by ${counter} (${JSON.stringify(body)})`, async () => {
        const r = answered({ frames, prompt_counter: counter }, { requestText: JSON.stringify(body) });
        assert.equal(ledger.settle(r), 'null');
        const asked = [];
        ngx.fetch = async (url, options) => {
            asked.push(JSON.parse(options.body));
            assert.equal(url, `http://127.0.0.1:8088${counter}`);
            return { status: 200, ok: true, json: async () => answer };
        };
        await ledger.countWaiting();
        assert.equal(booked()['key:a|prompt_tokens'], tokens);
        assert.deepEqual(asked, [sent]);
        assert.equal(ngx.shared.uncounted.size(), 0);
    });
}

const reply = (status, count) => ({ status, ok: status === 200, json: async () => Array(count).fill({ id: 1 }) });
const left = { frames: 'tgi', status: '499', upstream_status: '', request_time: '2.000' };

test('a prompt waits while no engine answers, and is given up when one refuses it', async () => {
    ledger.settle(answered({}, { requestText: '{"inputs":"a"}' }));
    ngx.fetch = async () => reply(503);
    await ledger.countWaiting();
    assert.equal(ngx.shared.uncounted.size(), 1);
    ngx.fetch = async () => reply(422);
    await ledger.countWaiting();
    assert.equal(ngx.shared.uncounted.size(), 0);
    assert.match(ngx.logged[0], /was not counted: the engine refuses it/);
    assert.equal(booked()['key:a|prompt_tokens'], undefined);
});

test('a prompt that cannot be counted keeps nobody’s from being counted, and is booked by its bytes in the end', async () => {
    const bad = { inputs: 'bad '.repeat(1000) };
    ledger.settle(answered({ frames: 'tgi', request_id: '0' }, { requestText: JSON.stringify(bad) }));
    ledger.settle(answered({ frames: 'tgi', request_id: '1' }, { requestText: '{"inputs":"good"}' }));
    ngx.fetch = async (_, { body }) => {
        if (body.includes('bad')) {
            throw new Error('http fetch too large response');
        }
        return reply(200, 3);
    };
    await ledger.countWaiting();
    assert.equal(booked()['key:a|prompt_tokens'], 3);
    for (let turn = 0; turn < 40; turn++) {
        await ledger.countWaiting();
    }
    assert.equal(ngx.shared.uncounted.size(), 0);
    assert.equal(booked()['key:a|prompt_tokens'], 3 + Math.ceil(JSON.stringify(bad).length / 4));
    assert.equal(ngx.logged.length, 2);
    assert.match(ngx.logged[0], /key:a is counted again later: http fetch too large response/);
    assert.match(ngx.logged[1], /key:a was not counted, 1004 tokens are booked: http fetch too large/);
});

test('an answer that is not streamed and was left early costs its prompt, and what can have been written', async () => {
    for (const [route, body, generated] of [
        ['generate', { inputs: 'a', parameters: { max_new_tokens: 7 } }, 7],
        ['generate', { inputs: 'a' }, 200],
        ['completions', { prompt: 'a', max_tokens: 5 }, 5],
        ['chat', { messages: [], max_tokens: 50, max_completion_tokens: 6 }, 6],
        ['generate_stream', { inputs: 'a', parameters: { max_new_tokens: 7 } }, 0],
        ['chat', { messages: [], stream: true, max_tokens: 9 }, 0],
        ['generate', 'no document', 200],
    ]) {
        freshNgx();
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const r = answered({ ...left, route }, { requestText: text });
        assert.equal(ledger.settle(r), 'null');
        assert.equal(booked()['key:a|generated_tokens'] ?? 0, generated, `${route} ${text}`);
        assert.equal(ngx.shared.uncounted.size(), 1);
    }
});

test('a body that cannot be read any more holds no place, and is booked by its length', () => {
    const unreadable = { get requestText() { throw new Error('failed to read request body'); } };
    for (const variables of [{ frames: 'tgi' }, left]) {
        freshNgx();
        const r = Object.defineProperties(answered({ ...variables, request_length: '4000' }),
            Object.getOwnPropertyDescriptors(unreadable));
        assert.equal(ledger.settle(r), 'null');
        assert.deepEqual(places(), [0]);
        assert.equal(booked()['key:a|prompt_tokens'], 1000);
        assert.match(ngx.logged[0], /was not counted, 1000 tokens are booked: its body is not in memory/);
    }
});

test('a request that cannot be booked gives its place back all the same', t => {
    const r = answered();
    t.mock.method(ngx.shared.uncounted, 'set', () => assert.fail('not reached'));
    Object.defineProperty(r.variables, 'upstream_status', { get() { throw new Error('broken'); } });
    assert.equal(ledger.settle(r), 'null');
    assert.deepEqual(places(), [0]);
    assert.match(ngx.logged[0], /a request of key:a was not booked: broken/);
});

for (const status of ['200', '502, 200', '502 : 200', '502, 502 : 200']) {
    test(`the prompt of an answer is counted whoever refused the connection before (${status})`, () => {
        ledger.settle(answered({ frames: 'tgi', upstream_status: status }, { requestText: '{"inputs":"a"}' }));
        assert.equal(ngx.shared.uncounted.size(), 1);
    });
}

test('what was left before an engine was asked costs nothing', () => {
    ledger.settle(answered({ ...left, upstream_connect_time: '' }, { requestText: '{"inputs":"a"}' }));
    assert.equal(ngx.shared.uncounted.size(), 0);
    assert.deepEqual(booked(), { 'key:a|requests': 1 });
});

test('a budget knows of a prompt before it is counted', async () => {
    const poor = { account: ACCOUNT, ...limits.of({ daily_tokens: 100 }) };
    ledger.settle(answered({ ...left, route: 'generate_stream' }, { requestText: JSON.stringify({ inputs: 'a'.repeat(400) }) }));
    assert.equal(limits.admit(poor).reason, 'budget');
    ngx.fetch = async () => reply(200, 50);
    await ledger.countWaiting();
    assert.equal(booked()['key:a|prompt_tokens'], 50);
    assert.equal(limits.admit(poor), undefined);
    assert.equal(usage.tokensToday(ACCOUNT), 50);
});

test('what is expected is forgotten no sooner than the prompt that waits', () => {
    ledger.settle(answered({ ...left, route: 'generate_stream' }, { requestText: '{"inputs":"a"}' }));
    assert.deepEqual([...ngx.shared.expected.renewed.values()], [600_000]);
});

test('what nobody answered, or no route counts, does not wait', () => {
    ledger.settle(answered({ upstream_status: '' }));
    ledger.settle(answered({ upstream_status: '422' }));
    ledger.settle(answered({ prompt_counter: '' }, { requestText: '{}' }));
    assert.equal(ngx.shared.uncounted.size(), 0);
});

for (const zone of ['usage', 'counters', 'uncounted']) {
    test(`${zone} is full: the request ends as ever, and the log says what is missing`, () => {
        const r = answered(zone === 'uncounted' ? {} : HEADERS, { requestText: '{"inputs":"a"}' });
        ngx.shared[zone].room = 0;
        assert.equal(ledger.settle(r), zone === 'uncounted' ? 'null' : '11');
        assert.equal(r.variables.generated_tokens, zone === 'uncounted' ? 'null' : '3');
        assert.deepEqual(places(), [0]);
        assert.ok(ngx.logged.length > 0);
        ngx.logged.forEach(line => assert.match(line, /not enough space|no longer fits/));
        assert.equal(zone === 'usage' || booked()['key:a|requests'] === 1, true);
        assert.equal(zone === 'counters' || ngx.shared.counters.get('appliance_account_requests_total{account="key:a"}') === 1, true);
    });
}

test('the figures begin at nothing for every counted route, and no other', () => {
    ledger.settle(answered({ ...HEADERS, request_time: '0.25' }));
    const r = request({ variables: {
        counted_routes: 'generate chat', connections_active: 1, connections_reading: 0, connections_writing: 1, connections_waiting: 0,
    } });
    metrics.serve(r);
    const lines = r.sent.body.split('\n');
    for (const line of [
        'appliance_requests_total{route="generate",status="200"} 1',
        'appliance_tokens_total{account="key:a",kind="prompt"} 11',
        'appliance_request_seconds_bucket{route="generate",le="0.1"} 0',
        'appliance_request_seconds_bucket{route="generate",le="0.25"} 1',
        'appliance_request_seconds_bucket{route="generate",le="+Inf"} 1',
        'appliance_request_seconds_count{route="generate"} 1',
        'appliance_request_seconds_count{route="chat"} 0',
        'appliance_running{account="key:a"} 0',
    ]) {
        assert.ok(lines.includes(line), line);
    }
    assert.deepEqual([...new Set(lines.flatMap(line => /_count{route="(\w+)"}/.exec(line)?.[1] ?? []))], ['generate', 'chat']);
});

test('days are kept for 400 days', () => {
    const day = ago => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
    for (const ago of [0, 1, 399, 400, 401, 402, 5000]) {
        usage.add(ACCOUNT, day(ago), 'requests', 1);
        usage.add('user:b|c', day(ago), 'refused', 1);
    }
    usage.forgetOldDays();
    const left = new Set(ngx.shared.usage.keys().map(key => key.split('|')[0]));
    assert.deepEqual(left, new Set([0, 1, 399, 400].map(day)));
    assert.equal(ngx.shared.usage.size(), 8);
});

test('a full book is added up by month, then by year, and what comes is booked', () => {
    const day = ago => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
    for (let ago = 0; ago < 300; ago++) {
        usage.add(ACCOUNT, day(ago), 'requests', 1);
    }
    ngx.shared.usage.room = 300;
    for (const name of ['key:new', 'key:newer']) {
        usage.add(name, usage.today(), 'requests', 5);
        assert.equal(booked()[`${name}|requests`], 5);
    }
    const sum = ngx.shared.usage.items().reduce((all, [key, value]) => all + (key.includes(ACCOUNT) ? value : 0), 0);
    assert.equal(sum, 300);
    assert.equal(ngx.shared.usage.get(`${usage.today()}|${ACCOUNT}|requests`), 1);
    assert.ok(ngx.shared.usage.size() < 20);
    assert.match(ngx.logged[0], /added up by month/);
});

test('every hour, days of more than 35 days ago are added up by month', () => {
    const day = ago => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
    for (let ago = 0; ago < 200; ago++) {
        usage.add(ACCOUNT, day(ago), 'requests', 1);
    }
    ledger.keepUsage();
    assert.equal(ngx.shared.usage.get(`${day(35)}|${ACCOUNT}|requests`), 1);
    assert.equal(ngx.shared.usage.get(`${day(36)}|${ACCOUNT}|requests`), undefined);
    assert.ok(ngx.shared.usage.size() <= 36 + 7);
    assert.equal(ngx.shared.usage.items().reduce((all, [, value]) => all + value, 0), 200);
});
