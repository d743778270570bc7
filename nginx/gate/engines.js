// The engines that have answered lately, by their addresses, and how many answers they take together. Why not from a setting: another
// number of engines must not restart nginx, whose streams that would cut.

const MANY = 1024;
const PORT = ':3000';   // theirs in conf.d/upstreams.conf, and nobody else's there

// An engine has begun to answer, or somebody else who is none. Where there is no room for another, fewer are known, and sooner one
// is full.
function met(addresses) {
    const address = (addresses || '').split(/, | : /).pop();
    if (!address.endsWith(PORT)) {
        return;
    }
    try {
        ngx.shared.engines.set(address, 1);
    } catch (error) {
        ngx.log(ngx.ERR, `engines: ${address} could not be counted: ${error.message}`);
    }
}

// Evaluated by the access log of a call that is not logged: at its end, so that no JavaScript lives as long as the answer does.
function note(r) {
    met(r.variables.upstream_addr);
    return '';
}

// TGI's --max-concurrent-requests, for each of them.
function take() {
    return Number(process.env.MAX_CONCURRENT_REQUESTS || 128) * Math.max(1, ngx.shared.engines.keys(MANY).length);
}

export default { met, note, take };
