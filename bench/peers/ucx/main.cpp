// UCX over shared memory, with its single-copy transport for large messages.
#include <cstdlib>

#include "peer/peer.hpp"
#include "worker.hpp"

int main(int argc, char** argv) {
    using namespace causeway::bench;
    ::setenv("UCX_TLS", "posix,cma,self", 0);
    ::setenv("UCX_WARN_UNUSED_ENV_VARS", "n", 0);
    return run_peer(argc, argv,
                    {.name = "bench_peer_ucx",
                     .what = "UCX between two processes (UCX_TLS=posix,cma,self)",
                     .variants = {{"tag", "tag-matched send and receive", make_tag},
                                  {"put", "one-sided put, and the receiver polls", make_put}}});
}
