// What a refused caller reads: OpenAI's error shape on /v1/*, TGI's on every other route. Decides nothing.
//
// An `error_type` is one of TGI's own or none: of any other the Hugging Face clients make a nameless error, without one an HTTP
// error with its status. What it is here says `code`.

const REFUSALS = {
    unauthorized: {
        status: 401,
        openai: ['invalid_request_error', 'invalid_api_key'],
        code: 'unauthorized',
        message: 'A valid API key is needed: send it as "Authorization: Bearer <key>". '
            + 'The operator makes one with: ./scripts/appliance keys add NAME',
    },
    host: {
        status: 403,
        openai: ['invalid_request_error', 'unknown_host'],
        code: 'unknown_host',
        message: 'Without keys and users the appliance answers to its address and to localhost only, not to a name. '
            + 'The operator makes them with: ./scripts/appliance keys add NAME, ./scripts/appliance users add NAME',
    },
    origin: {
        status: 403,
        openai: ['invalid_request_error', 'unknown_origin'],
        code: 'unknown_origin',
        message: 'Without keys and users the appliance serves no web page but its own.',
    },
    rate: {
        status: 429,
        openai: ['requests', 'rate_limit_exceeded'],
        code: 'rate_limited',
        tgi: 'overloaded',
        message: 'More requests than this account may send in a minute.',
    },
    concurrency: {
        status: 429,
        openai: ['requests', 'concurrency_limit_exceeded'],
        code: 'too_many_running',
        tgi: 'overloaded',
        message: 'As many requests as this account may have at a time are already running.',
    },
    busy: {
        status: 503,
        openai: ['service_unavailable', 'overloaded'],
        tgi: 'overloaded',
        message: 'The appliance has no room to count another request. Try again in a few seconds.',
    },
    full: {
        status: 429,
        openai: ['service_unavailable', 'overloaded'],
        tgi: 'overloaded',
        message: 'Model is overloaded',   // TGI's own words for it
    },
    budget: {
        status: 429,
        openai: ['tokens', 'insufficient_quota'],
        code: 'budget_spent',
        message: 'The daily token budget of this account is spent. It is renewed at midnight UTC.',
    },
};

// Ends the request. `retryAfter` is in whole seconds, undefined where waiting does not help.
function refuse(r, reason, retryAfter) {
    const refusal = REFUSALS[reason];
    r.variables.refused = reason;
    r.headersOut['Content-Type'] = 'application/json';
    if (refusal.status === 401) {
        r.headersOut['WWW-Authenticate'] = 'Bearer realm="appliance"';
    }
    if (retryAfter !== undefined) {
        r.headersOut['Retry-After'] = String(retryAfter);
    }
    r.return(refusal.status, JSON.stringify(body(r.uri, refusal)));
}

function body(path, refusal) {
    if (path.startsWith('/v1/')) {
        return { error: { message: refusal.message, type: refusal.openai[0], param: null, code: refusal.openai[1] } };
    }
    return { error: refusal.message, error_type: refusal.tgi, code: refusal.code };
}

export default { refuse };
