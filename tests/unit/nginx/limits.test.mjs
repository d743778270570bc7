// How much an account may ask for: the sliding minute, places, and what a full dictionary costs.

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { freshNgx, load } from './njs.mjs';

const engines = await load('engines.js');
const limits = await load('limits.js');
const MINUTE = 60_000;
const account = (fields = {}) => ({ account: 'key:a', ...limits.of({}), ...fields });

beforeEach(() => freshNgx());

test('limits are whole numbers, or none', () => {
    assert.deepEqual(limits.of({}), { rpm: null, concurrent: null, daily_tokens: null });
    const given = { rpm: 1, concurrent: null, daily_tokens: 1e12 };
    assert.deepEqual(limits.of({ name: 'a', other: 5, ...given }), given);
    for (const value of [0, -1, 1.5, 1e12 + 1, '5', NaN, true, {}]) {
        assert.throws(() => limits.of({ name: 'a', rpm: value }), /rpm of a: expected null or a whole number from 1 to/);
    }
});

// The rule, in other words: a request is admitted when those of this minute, and those of the former one by the share of it that is
// less than a minute ago, leave room for it. `counts` are requests by minute.
function isFree(counts, rpm, now) {
    const minute = Math.floor(now / MINUTE);
    const [before, count] = [counts[minute - 1] ?? 0, counts[minute] ?? 0];
    return Math.ceil(before * (1 - (now % MINUTE) / MINUTE)) + count < rpm;
}

test('secondsUntilFree is the first whole second at which a request would be admitted', () => {
    for (const rpm of [1, 2, 7, 60, 1000]) {
        for (const before of [0, 1, rpm - 1, rpm]) {
            for (const count of [0, 1, rpm - 1, rpm]) {
                for (const into of [0, 1, 999, 1000, 30_500, 58_999, 59_000, 59_001, 59_999]) {
                    const now = 5 * MINUTE + into;
                    const seconds = limits.secondsUntilFree(before, count, rpm, now);
                    const free = later => isFree({ 4: before, 5: count }, rpm, now + later * 1000);
                    const words = `${JSON.stringify({ rpm, before, count, into })}: ${seconds}`;
                    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 120, words);
                    assert.ok(free(seconds), words);
                    for (let earlier = 1; earlier < seconds; earlier++) {
                        assert.ok(!free(earlier), `${words}, but free after ${earlier}`);
                    }
                }
            }
        }
    }
});

test('after the time that a refusal names, the account may go on', () => {
    mock.timers.enable({ apis: ['Date'], now: 7 * MINUTE + 20_000 });
    try {
        const three = account({ rpm: 3 });
        for (let round = 0; round < 20; round++) {
            let refusal;
            while ((refusal = limits.admit(three)) === undefined) {
                limits.release('key:a');
            }
            assert.equal(refusal.reason, 'rate');
            mock.timers.tick(refusal.retryAfter * 1000);
            assert.equal(limits.admit(three), undefined);
            limits.release('key:a');
        }
    } finally {
        mock.timers.reset();
    }
});

test('a place is taken, refused and given back', () => {
    const two = account({ concurrent: 2 });
    assert.equal(limits.admit(two), undefined);
    assert.equal(limits.admit(two), undefined);
    assert.deepEqual(limits.admit(two), { reason: 'concurrency', retryAfter: 1 });
    assert.deepEqual(limits.inFlight(), [['key:a', 2]]);
    limits.release('key:a');
    assert.equal(limits.admit(two), undefined);
});

function eachTakes(t, number) {
    process.env.MAX_CONCURRENT_REQUESTS = String(number);
    t.after(() => { delete process.env.MAX_CONCURRENT_REQUESTS; });
}

test('the engines take as many answers as they say together, whoever asks; one more waits outside', t => {
    eachTakes(t, 2);
    for (const addresses of [undefined, '', '10.0.0.1:3000', '10.0.0.9:3000, 10.0.0.2:3000', '10.0.0.1:3000']) {
        engines.met(addresses);   // of which the last one has answered
    }
    const names = ['key:a', 'key:b', 'user:c', '-'];
    for (const name of names) {
        assert.equal(limits.admit(account({ account: name }), true), undefined);
    }
    const d = account({ account: 'key:d', rpm: 1 });
    for (let i = 0; i < 5; i++) {
        assert.deepEqual(limits.admit(d, true), { reason: 'full', retryAfter: 5 });
    }
    assert.equal(limits.admit(account({ account: 'key:e' }), false), undefined, 'counting tokens takes no place');
    limits.release('key:e', false);
    assert.deepEqual(Object.fromEntries(limits.inFlight()), { 'key:a': 1, 'key:b': 1, 'user:c': 1, '-': 1, 'key:d': 0, 'key:e': 0 });

    limits.release('key:a', true);
    assert.equal(limits.admit(d, true), undefined, 'what was refused took nothing of its own rate, either');
    assert.equal(limits.admit(account(), true).reason, 'full', 'one place became free, not two');
});

test('of more engines than there is room for, fewer are known', () => {
    freshNgx({ engines: 1 });
    engines.met('10.0.0.1:3000');
    engines.met('10.0.0.2:3000');
    assert.equal(engines.take(), 128);
    assert.match(ngx.logged[0], /error: engines: 10.0.0.2:3000 could not be counted/);
});

test('one who is refused by a limit of his own leaves the engine\'s place to others', t => {
    eachTakes(t, 1);
    const one = account({ rpm: 1 });
    assert.equal(limits.admit(one, true), undefined);
    limits.release('key:a', true);
    assert.equal(limits.admit(one, true).reason, 'rate');
    assert.equal(limits.admit(account({ account: 'key:b' }), true), undefined);
});

test('no place of the engine is kept where the dictionary has no room', t => {
    eachTakes(t, 5);
    for (let room = 0; room < 7; room++) {
        freshNgx({ running: room });
        const admitted = limits.admit(account({ rpm: 9 }), true) === undefined;
        assert.equal(ngx.shared.running.get('engine') ?? 0, admitted ? 1 : 0, `room for ${room}`);
    }
    freshNgx({ windows: 0 });
    assert.equal(limits.admit(account({ rpm: 9 }), true).reason, 'busy');
    assert.deepEqual([ngx.shared.running.get('engine'), ngx.shared.running.get('key:a')], [0, 0]);
});

test('a refused request counts for nothing', () => {
    const one = account({ rpm: 1 });
    assert.equal(limits.admit(one), undefined);
    assert.equal(limits.admit(one).reason, 'rate');
    assert.deepEqual(limits.inFlight(), [['key:a', 1]]);
    assert.equal(ngx.shared.windows.items().reduce((sum, [, count]) => sum + count, 0), 1);
});

test('a spent budget is renewed at midnight UTC', () => {
    mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-27T23:59:50Z') });
    try {
        ngx.shared.usage.set('2026-11-27|key:a|prompt_tokens', 60);
        ngx.shared.usage.set('2026-11-27|key:a|generated_tokens', 40);
        assert.equal(limits.admit(account({ daily_tokens: 101 })), undefined);
        assert.deepEqual(limits.admit(account({ daily_tokens: 100 })), { reason: 'budget', retryAfter: 10 });
        mock.timers.tick(10_000);
        assert.equal(limits.admit(account({ daily_tokens: 100 })), undefined);
    } finally {
        mock.timers.reset();
    }
});

test('the places of a worker that is gone are given back', () => {
    assert.equal(limits.admit(account()), undefined);
    ngx.shared.running.incr('key:a', 3, 0);
    ngx.shared.running.incr('999999999 key:a', 3, 0);
    limits.reclaim();
    assert.deepEqual(limits.inFlight(), [['key:a', 1]]);
    limits.reclaim();
    assert.deepEqual(limits.inFlight(), [['key:a', 1]]);
});

test('what a worker gives back itself before it ends is not given back again, nor by two timers', () => {
    for (const meanwhile of [
        () => {
            ngx.shared.running.incr('key:a', -1, 0);
            ngx.shared.running.delete('999999999 key:a');
        },
        () => limits.reclaim(),   // after a reload the former worker's timer may be at it, too
    ]) {
        freshNgx();
        ngx.shared.running.incr('key:a', 1, 0);
        ngx.shared.running.incr('999999999 key:a', 1, 0);
        const { items } = ngx.shared.running;
        ngx.shared.running.items = function () {
            const listed = items.call(this);
            delete ngx.shared.running.items;
            meanwhile();
            return listed;
        };
        limits.reclaim();
        assert.deepEqual(limits.inFlight(), [['key:a', 0]]);
    }
});

for (const room of [0, 1]) {
    test(`a request for which there is no room takes no place, is refused, and the log says why (${room} entries fit)`, () => {
        freshNgx({ running: room });
        assert.deepEqual(limits.admit(account()), { reason: 'busy', retryAfter: 5 });
        assert.match(ngx.logged[0], /^error: limits: a request of key:a was refused: not enough space/);
        assert.ok(ngx.shared.running.items().every(([, places]) => places === 0));
    });
}

test('no room for the minute: the place is given back', () => {
    freshNgx({ windows: 0 });
    assert.equal(limits.admit(account({ rpm: 1 })).reason, 'busy');
    assert.deepEqual(limits.inFlight(), [['key:a', 0]]);
});

test('a worker’s part of an account is gone when it holds no place', () => {
    for (let i = 0; i < 500; i++) {
        assert.equal(limits.admit(account({ account: `key:${i}` })), undefined);
        limits.release(`key:${i}`);
    }
    assert.ok(ngx.shared.running.keys().every(name => !name.includes(' ')));
    assert.equal(ngx.shared.running.size(), 500, 'which go when there is little room left');
});

test('what holds no place goes where there is little room left, and nothing else', () => {
    for (const [room, left] of [[1000, ['key:a', 'key:b']], [5, ['key:a']]]) {
        freshNgx({ running: room });
        limits.admit(account());
        limits.admit(account({ account: 'key:b' }));
        limits.release('key:b');
        limits.reclaim();
        assert.deepEqual(limits.inFlight().map(([name]) => name), left, `${room} entries fit`);
        assert.equal(ngx.shared.running.get('key:a'), 1);
    }
});

test('a place that is taken while its account is freed is kept', () => {
    freshNgx({ running: 3 });
    limits.admit(account());
    limits.release('key:a');
    const { items } = ngx.shared.running;
    ngx.shared.running.items = function () {
        const listed = items.call(this);
        delete ngx.shared.running.items;
        limits.admit(account());
        return listed;
    };
    limits.reclaim();
    assert.deepEqual(limits.inFlight(), [['key:a', 1]]);
});

test('who has a budget and no limit at a time has sixteen; nobody has more than 1,024', () => {
    const places = fields => {
        freshNgx();
        let count = 0;
        while (limits.admit(account(fields)) === undefined) {
            count++;
        }
        return count;
    };
    assert.equal(places({ daily_tokens: 1000 }), 16);
    assert.equal(places({ daily_tokens: 1000, concurrent: 20 }), 20);
    assert.equal(places({}), 1024);
    assert.equal(places({ concurrent: 1e12 }), 1024);
});

test('joins and counts of the page are held to the rate of their person, beside the answers', () => {
    const one = account({ account: 'user:a', rpm: 1 });
    const passed = check => {
        let count = 0;
        while (check(one) === undefined) {
            count++;
        }
        return count;
    };
    assert.equal(passed(limits.admitJoin), 5);
    assert.equal(passed(limits.admitCount), 100);
    assert.equal(limits.admitJoin(one).reason, 'rate');
    assert.equal(limits.admit(one), undefined);
    assert.equal(limits.admitJoin(account()), undefined, 'without a limit there is one all the same, but not of one');
});
