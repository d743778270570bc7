// The end of each request: gives back its place, and books what was used. nginx evaluates `settle` once a request, when it
// writes the access log, whichever way the request ended.

import limits from 'limits.js';
import meter from 'meter.js';
import metrics from 'metrics.js';
import prompts from 'prompts.js';
import usage from 'usage.js';

// The last one that nginx asked; before it others may have refused the connection.
const ANSWERED = /(^|[ ,:])200$/;
const LEFT = '499';   // nginx's own word for a client that left before an answer began
// Nobody says how much of an answer was written that its client did not wait for: at most what was asked for, and not more than a
// card writes in that time for one reader.
const TOKENS_A_SECOND = 100;

// Returns the prompt's tokens for the log line, sets the variable with the generated ones.
function settle(r) {
    const account = r.variables.account;
    const refused = r.variables.refused;
    let tokens = { prompt: null, generated: null };
    if (r.variables.admitted === '1') {
        try {
            tokens = spent(r);
        } catch (error) {
            ngx.log(ngx.ERR, `usage: a request of ${account} was not booked: ${error.message}`);
        } finally {
            limits.release(account, meter.generates(r));
        }
    }
    if (refused !== '') {
        usage.add(account, usage.today(), 'refused', 1);
    }
    metrics.book(r, account, refused, tokens);
    r.variables.generated_tokens = String(tokens.generated);
    return String(tokens.prompt);
}

function spent(r) {
    const account = r.variables.account;
    const day = usage.today();
    const tokens = meter.counts() || (wasLeft(r) ? ofLeft(r) : fromHeaders(r));
    usage.add(account, day, 'requests', 1);
    usage.add(account, day, 'prompt_tokens', tokens.prompt || 0);
    usage.add(account, day, 'generated_tokens', tokens.generated || 0);
    if (tokens.prompt === null && (wasLeft(r) || ANSWERED.test(r.variables.upstream_status || ''))) {
        prompts.countLater(r, account, day);
    }
    return tokens;
}

// Whether the client left while an engine worked on the answer.
function wasLeft(r) {
    return r.variables.status === LEFT && /[0-9]/.test(r.variables.upstream_connect_time || '');
}

// Of a stream no token had come yet.
function ofLeft(r) {
    if (r.variables.prompt_counter === '') {
        return { prompt: null, generated: null };
    }
    const asked = prompts.asked(r);
    const written = Math.floor(Number(r.variables.request_time) * TOKENS_A_SECOND);
    return { prompt: null, generated: asked.streams ? 0 : Math.min(written, asked.tokens) };
}

// What TGI says in the headers of an answer that is not streamed.
function fromHeaders(r) {
    const number = name => {
        const value = r.variables[`upstream_http_x_${name}_tokens`];
        return value ? Number(value) : null;
    };
    return { prompt: number('prompt'), generated: number('generated') };
}

export default { settle, countWaiting: prompts.countWaiting, keepUsage: usage.keep, reclaim: limits.reclaim };
