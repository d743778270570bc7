// Counters and histograms for Prometheus, kept in the shared dictionary `counters` under the very text of each series.
// Source of the text format: prometheus.io/docs/instrumenting/exposition_formats

import limits from 'limits.js';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const EVERYTHING = 100000;
const KINDS = {
    appliance_requests_total: 'counter',
    appliance_account_requests_total: 'counter',
    appliance_tokens_total: 'counter',
    appliance_refused_total: 'counter',
    appliance_first_byte_seconds: 'histogram',
    appliance_request_seconds: 'histogram',
};

function book(r, account, refused, tokens) {
    const route = r.variables.route;
    count('appliance_requests_total', `route="${route}",status="${r.variables.status}"`, 1);
    if (refused !== '') {
        count('appliance_refused_total', `account="${account}",reason="${refused}"`, 1);
    }
    if (r.variables.admitted !== '1') {
        return;
    }
    count('appliance_account_requests_total', `account="${account}"`, 1);
    addPrompt(account, tokens.prompt || 0);
    count('appliance_tokens_total', `account="${account}",kind="generated"`, tokens.generated || 0);
    observe('appliance_request_seconds', route, Number(r.variables.request_time));
    observe('appliance_first_byte_seconds', route, parseFloat(r.variables.first_byte));
}

function addPrompt(account, tokens) {
    count('appliance_tokens_total', `account="${account}",kind="prompt"`, tokens);
}

function count(name, labels, amount) {
    try {
        ngx.shared.counters.incr(`${name}{${labels}}`, amount, 0);
    } catch (error) {
        ngx.log(ngx.ERR, `metrics: ${name}{${labels}} could not be counted: ${error.message}`);
    }
}

// One count in the first bucket that holds the value; `text` adds them up.
function observe(name, route, seconds) {
    if (isNaN(seconds)) {
        return;
    }
    const bucket = BUCKETS.find(limit => seconds <= limit);
    count(`${name}_bucket`, `route="${route}",le="${bucket === undefined ? '+Inf' : bucket}"`, 1);
    count(`${name}_sum`, `route="${route}"`, seconds);
}

// GET /metrics on the internal listener.
function serve(r) {
    r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
    r.return(200, text(r.variables).join('\n') + '\n');
}

function text(variables) {
    const values = {};
    ngx.shared.counters.items(EVERYTHING).forEach(item => {
        values[item[0]] = item[1];
    });
    const routes = variables.counted_routes.split(' ');
    const lines = [];
    for (const name in KINDS) {
        lines.push(`# TYPE ${name} ${KINDS[name]}`);
        lines.push.apply(lines, KINDS[name] === 'counter' ? counters(name, values) : histograms(name, values, routes));
    }
    lines.push('# TYPE appliance_running gauge');
    limits.inFlight().forEach(item => lines.push(`appliance_running{account="${item[0]}"} ${item[1]}`));
    lines.push('# TYPE nginx_connections gauge');
    ['active', 'reading', 'writing', 'waiting'].forEach(state =>
        lines.push(`nginx_connections{state="${state}"} ${variables['connections_' + state]}`));
    return lines;
}

function counters(name, values) {
    return Object.keys(values).filter(series => series.startsWith(name + '{')).sort()
        .map(series => `${series} ${values[series]}`);
}

function histograms(name, values, routes) {
    const lines = [];
    // also those that nobody has asked for yet: a series that begins at 1 hides its first request from rate()
    routes.forEach(route => {
        let total = 0;
        BUCKETS.concat('+Inf').forEach(limit => {
            const series = `${name}_bucket{route="${route}",le="${limit}"}`;
            total += values[series] || 0;
            lines.push(`${series} ${total}`);
        });
        lines.push(`${name}_sum{route="${route}"} ${values[`${name}_sum{route="${route}"}`] || 0}`);
        lines.push(`${name}_count{route="${route}"} ${total}`);
    });
    return lines;
}

export default { book, addPrompt, serve };
