// Who used what, by day (UTC), and by month what is older: requests, prompt and generated tokens, refusals. The shared dictionary
// `usage` is kept in /state/usage.json by njs itself; scripts/appliance usage reads it there.

import fs from 'fs';

const STATE = '/state/usage.json';
const KEPT_DAYS = 400;
const KEPT_BY_DAY = 35;
const DAY_MS = 86400000;
const MINUTE_MS = 60000;
// How much of a date is kept: 2027-01 or 2027.
const MONTH = 7;
const YEAR = 4;
const ROOM = 65536;   // bytes free below which a dictionary counts as full
const EVERYTHING = 1000000;
const EXPECTED_MS = 600000;   // as long as a prompt waits to be counted: the timeout of `uncounted`

function today() {
    return new Date().toISOString().slice(0, 10);
}

function add(account, day, what, amount) {
    if (amount === 0) {
        return;
    }
    const key = `${day}|${account}|${what}`;
    try {
        ngx.shared.usage.incr(key, amount, 0);
    } catch (error) {
        makeRoom(error);
        addAnyhow(key, amount);
    }
}

// The dictionary is full: what is older than today is added up by month, and if that is not enough, by year. Once a minute at most.
function makeRoom(error) {
    try {
        if (ngx.shared.windows.incr(`usage ${Math.floor(Date.now() / MINUTE_MS)}`, 1, 0) > 1) {
            return;
        }
    } catch {
        // no room for that either: once more costs time only
    }
    ngx.log(ngx.ERR, `usage: ${error.message}; what is older than today is added up by month`);
    addUp(today(), MONTH);
    if (ngx.shared.usage.freeSpace() < ROOM) {
        addUp(today(), YEAR);
    }
}

function addAnyhow(key, amount) {
    try {
        ngx.shared.usage.incr(key, amount, 0);
    } catch (error) {
        ngx.log(ngx.ERR, `usage: ${amount} of ${key} could not be booked: ${error.message}`);
    }
}

// Adds up the days before `oldest` under the beginning of their date. Each counter is taken out and put back in one step each,
// so that none is counted twice, whichever workers do it.
function addUp(oldest, length) {
    ngx.shared.usage.keys(EVERYTHING).forEach(key => {
        const bar = key.indexOf('|');
        const date = key.slice(0, bar);
        if (date.length > length && date < oldest) {
            addAnyhow(date.slice(0, length) + key.slice(bar), ngx.shared.usage.pop(key) || 0);
        }
    });
}

// Prompt and generated tokens of the account since midnight UTC, with those of prompts that still wait to be counted.
function tokensToday(account) {
    const day = today();
    const of = what => ngx.shared.usage.get(`${day}|${account}|${what}`) || 0;
    return of('prompt_tokens') + of('generated_tokens') + Math.max(0, ngx.shared.expected.get(`${day}|${account}`) || 0);
}

// Tokens that will be booked shortly, so that a budget knows of them at once; less than nothing when they have been.
function expect(account, day, tokens) {
    try {
        // njs begins an entry's timeout anew only where it is named
        ngx.shared.expected.incr(`${day}|${account}`, tokens, 0, EXPECTED_MS);
    } catch (error) {
        ngx.log(ngx.ERR, `usage: ${tokens} tokens of ${account} are not expected: ${error.message}`);
    }
}

function secondsLeftToday() {
    return Math.ceil((DAY_MS - Date.now() % DAY_MS) / 1000);
}

// Once an hour: adds up by month what is older than KEPT_BY_DAY days, forgets what is older than KEPT_DAYS, and keeps a copy for a
// start that finds the file damaged.
function keep() {
    addUp(daysAgo(KEPT_BY_DAY), MONTH);
    forgetOldDays();
    if (ngx.shared.usage.size() === 0) {
        return;
    }
    try {
        fs.writeFileSync(STATE + '.new', fs.readFileSync(STATE));
        fs.renameSync(STATE + '.new', STATE + '.backup');
    } catch (error) {
        ngx.log(ngx.WARN, `usage: no copy of ${STATE} was made: ${error.message}`);
    }
}

function daysAgo(days) {
    return new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10);
}

// A month or a year goes when its last day would.
function forgetOldDays() {
    const oldest = daysAgo(KEPT_DAYS);
    ngx.shared.usage.keys(EVERYTHING).forEach(key => {
        const date = key.slice(0, key.indexOf('|'));
        if (date < oldest.slice(0, date.length)) {
            ngx.shared.usage.delete(key);
        }
    });
}

export default { today, add, expect, tokensToday, secondsLeftToday, keep, forgetOldDays };
