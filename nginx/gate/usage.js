// Who used what, day by day (UTC): requests, prompt and generated tokens, refusals. The shared dictionary `usage` is kept in
// /state/usage.json by njs itself; scripts/appliance usage reads it there.

import fs from 'fs';

const STATE = '/state/usage.json';
const KEPT_DAYS = 400;
const DAY_MS = 86400000;
const EVERYTHING = 1000000;

function today() {
    return new Date().toISOString().slice(0, 10);
}

function add(account, day, what, amount) {
    if (amount === 0) {
        return;
    }
    try {
        ngx.shared.usage.incr(`${day}|${account}|${what}`, amount, 0);
    } catch (error) {
        ngx.log(ngx.ERR, `usage: ${amount} ${what} of ${account} could not be booked: ${error.message}`);
    }
}

// Prompt and generated tokens of the account since midnight UTC.
function tokensToday(account) {
    const of = what => ngx.shared.usage.get(`${today()}|${account}|${what}`) || 0;
    return of('prompt_tokens') + of('generated_tokens');
}

function secondsLeftToday() {
    return Math.ceil((DAY_MS - Date.now() % DAY_MS) / 1000);
}

// Once an hour: forgets days that are older than KEPT_DAYS, and keeps a copy for a start that finds the file damaged.
function keep() {
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

function forgetOldDays() {
    const oldest = new Date(Date.now() - KEPT_DAYS * DAY_MS).toISOString().slice(0, 10);
    ngx.shared.usage.keys(EVERYTHING).forEach(key => {
        if (key.slice(0, 10) < oldest) {
            ngx.shared.usage.delete(key);
        }
    });
}

export default { today, add, tokensToday, secondsLeftToday, keep, forgetOldDays };
