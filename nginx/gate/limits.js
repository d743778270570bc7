// How much an account may ask for: requests a minute, requests at a time, tokens a day. Exact to the request, over all
// workers, since every count is one atomic step in shared memory. Knows accounts, not requests.

import usage from 'usage.js';

const MINUTE_MS = 60000;

// Takes one place for the account: undefined when it may go on (give it back with `release`), else why not and after how many
// seconds to ask again. An account without a limit is counted all the same, for the figures.
function admit(account) {
    if (account.daily_tokens !== null && usage.tokensToday(account.account) >= account.daily_tokens) {
        return { reason: 'budget', retryAfter: usage.secondsLeftToday() };
    }
    const running = ngx.shared.running.incr(account.account, 1, 0);
    if (account.concurrent !== null && running > account.concurrent) {
        release(account.account);
        return { reason: 'concurrency', retryAfter: 1 };
    }
    const wait = account.rpm === null ? 0 : takeFromMinute(account.account, account.rpm, Date.now());
    if (wait > 0) {
        release(account.account);
        return { reason: 'rate', retryAfter: wait };
    }
    return undefined;
}

function release(name) {
    ngx.shared.running.incr(name, -1, 0);
}

// A sliding window: the requests of this minute, and those of the former one by the share of it that is less than a minute ago.
// Returns 0 when the request was counted, else the seconds until one would be.
function takeFromMinute(name, rpm, now) {
    const minute = Math.floor(now / MINUTE_MS);
    const before = ngx.shared.windows.get(`${name} ${minute - 1}`) || 0;
    const key = `${name} ${minute}`;
    const count = ngx.shared.windows.incr(key, 1, 0);
    if (weighted(before, now) + count <= rpm) {
        return 0;
    }
    ngx.shared.windows.incr(key, -1, 0);
    return secondsUntilFree(before, count - 1, rpm, now);
}

function weighted(before, now) {
    return Math.ceil(before * (1 - (now % MINUTE_MS) / MINUTE_MS));
}

function secondsUntilFree(before, count, rpm, now) {
    const left = Math.ceil((MINUTE_MS - now % MINUTE_MS) / 1000);
    for (let seconds = 1; seconds < left; seconds++) {
        if (weighted(before, now + seconds * 1000) + count < rpm) {
            return seconds;
        }
    }
    let seconds = left;
    while (weighted(count, now + seconds * 1000) >= rpm && seconds < left + 60) {
        seconds++;
    }
    return seconds;
}

export default { admit, release };
