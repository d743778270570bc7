// How much an account may ask for: requests a minute, requests at a time, tokens a day. Exact to the request, over all
// workers, since every count is one atomic step in shared memory. Knows accounts, not requests.

import fs from 'fs';
import engines from 'engines.js';
import usage from 'usage.js';

// The limits, by their names in keys.json and users.json: null, without one, or a whole number from LEAST to MOST.
const NAMES = ['rpm', 'concurrent', 'daily_tokens'];
const LEAST = 1;
const MOST = 1e12;

// Nobody has more requests at a time, whatever its entry says: the memory that they take is bounded (conf.d/limits.conf).
const MOST_AT_A_TIME = 1024;
// A budget without a limit of its own at a time: what runs when it is spent may go over it.
const AT_A_TIME_IN_A_BUDGET = 16;
// The page's own requests, by the requests a minute that its person may make: a few more joins, so that the page can say in its
// own words why one was refused; and for each of them the counts of a long conversation (a bisection over its turns).
const PAGE_RPM = 120;   // of a person without a limit
const MORE_JOINS = 4;
const COUNTS_A_JOIN = 20;
// The answers that all engines take together, by this name among the accounts. Why here: TGI says that it is full inside a stream
// of status 200, where no client waits and asks again.
const ENGINE = 'engine';
const FULL_SECONDS = 5;   // of a crowd somebody's answer ends sooner

const MINUTE_MS = 60000;
const EVERYTHING = 100000;

// The limits of an account's entry, or of nobody's. Raises where one cannot be understood.
function of(entry) {
    const found = {};
    NAMES.forEach(name => {
        const value = entry[name] === undefined ? null : entry[name];
        if (value !== null && !(Number.isInteger(value) && value >= LEAST && value <= MOST)) {
            throw new Error(`${name} of ${entry.name}: expected null or a whole number from ${LEAST} to ${MOST}, found ${value}`);
        }
        found[name] = value;
    });
    return found;
}

// Takes one place for the account: undefined when it may go on (give it back with `release`), else why not and after how many
// seconds to ask again. An account without a limit is counted all the same, for the figures. `generates`: it takes a place of the
// engine's, too.
function admit(account, generates) {
    try {
        return takeAll(account, generates);
    } catch (error) {
        ngx.log(ngx.ERR, `limits: a request of ${account.account} was refused: ${error.message}`);
        return { reason: 'busy', retryAfter: 5 };
    }
}

function takeAll(account, generates) {
    if (account.daily_tokens !== null && usage.tokensToday(account.account) >= account.daily_tokens) {
        return { reason: 'budget', retryAfter: usage.secondsLeftToday() };
    }
    const running = take(account.account, 1);
    if (running > atATime(account)) {
        release(account.account);
        return { reason: 'concurrency', retryAfter: 1 };
    }
    let refusal;
    try {
        refusal = generates ? takeFromEngine(account) : takeFromRate(account);
    } catch (error) {
        release(account.account);
        throw error;
    }
    if (refusal !== undefined) {
        release(account.account);
    }
    return refusal;
}

function takeFromEngine(account) {
    const running = take(ENGINE, 1);
    let refusal = { reason: 'full', retryAfter: FULL_SECONDS };
    try {
        if (running <= engines.take()) {
            refusal = takeFromRate(account);
        }
    } catch (error) {
        release(ENGINE);
        throw error;
    }
    if (refusal !== undefined) {
        release(ENGINE);
    }
    return refusal;
}

function takeFromRate(account) {
    const wait = account.rpm === null ? 0 : takeFromMinute(account.account, account.rpm, Date.now());
    return wait > 0 ? { reason: 'rate', retryAfter: wait } : undefined;
}

function atATime(account) {
    const unsaid = account.daily_tokens === null ? MOST_AT_A_TIME : AT_A_TIME_IN_A_BUDGET;
    return Math.min(account.concurrent === null ? unsaid : account.concurrent, MOST_AT_A_TIME);
}

// One of the page's joins, which bring a whole conversation: undefined when it may go on, else as `admit`. It holds no place.
function admitJoin(account) {
    const rpm = account.rpm === null ? PAGE_RPM : account.rpm;
    return admitEach(`join:${account.account}`, rpm + MORE_JOINS);
}

// One count of a conversation's tokens, for the page.
function admitCount(account) {
    const rpm = account.rpm === null ? PAGE_RPM : account.rpm;
    return admitEach(`count:${account.account}`, (rpm + MORE_JOINS) * COUNTS_A_JOIN);
}

function admitEach(name, rpm) {
    const wait = takeFromMinute(name, rpm, Date.now());
    return wait > 0 ? { reason: 'rate', retryAfter: wait } : undefined;
}

function release(name, generates) {
    take(name, -1);
    if (generates) {
        take(ENGINE, -1);
    }
}

// Counts twice: for the account, and for this worker's part in it, so that a worker that dies takes no place with it. A part
// that holds nothing goes at once, since nobody else counts in it; an account's own when `reclaim` finds little room left. Why by no
// timeout of the zone: that runs from an entry's first count on, whatever is counted in it later, so a busy account's would be lost.
function take(name, places) {
    const part = `${process.pid} ${name}`;
    const running = ngx.shared.running.incr(name, places, 0);
    try {
        if (ngx.shared.running.incr(part, places, 0) === 0) {
            ngx.shared.running.delete(part);
        }
    } catch (error) {
        ngx.shared.running.incr(name, -places, 0);
        throw error;
    }
    return running;
}

// Gives back the places of workers that are gone, and frees what holds none where there is little room left. Called every second by
// a timer in one worker.
function reclaim() {
    const zone = ngx.shared.running;
    const isShort = zone.freeSpace() < zone.capacity / 2;
    const alive = {};
    zone.items(EVERYTHING).forEach(item => {
        const parts = item[0].split(' ');
        if (parts.length === 1) {
            if (isShort && item[1] === 0) {
                count(item[0], removed(item[0]));
            }
            return;
        }
        if (!(parts[0] in alive)) {
            alive[parts[0]] = isAlive(parts[0]);
        }
        if (!alive[parts[0]]) {
            count(parts[1], -removed(item[0]));
        }
    });
}

// What an entry holds by now: since it was listed it may have been counted in, or been removed by a former worker's timer.
function removed(entry) {
    return ngx.shared.running.pop(entry) || 0;
}

function count(name, places) {
    if (places !== 0) {
        ngx.shared.running.incr(name, places, 0);
    }
}

function isAlive(pid) {
    try {
        fs.statSync(`/proc/${pid}`);
        return true;
    } catch {
        return false;
    }
}

// Requests in flight: pairs of account and number.
function inFlight() {
    return ngx.shared.running.items(EVERYTHING).filter(item => !item[0].includes(' ') && item[0] !== ENGINE);
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

export default { of, admit, admitJoin, admitCount, release, reclaim, inFlight, secondsUntilFree };
