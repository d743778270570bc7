// How much an account may ask for: the sliding minute, places, and what a full dictionary costs.

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { freshNgx, load } from './njs.mjs';

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

for (const room of [0, 1]) {
    test(`a request for which there is no room takes no place (${room} entries fit)`, () => {
        freshNgx({ running: room });
        assert.throws(() => limits.admit(account()), /not enough space/);
        assert.ok(ngx.shared.running.items().every(([, places]) => places === 0));
    });
}
