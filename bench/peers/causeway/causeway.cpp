// Causeway itself: Send and Write with immediate over a queue pair, by any executor.
#include <sys/socket.h>

#include <cerrno>

#include "peer/peer.hpp"
#include "perf/endpoint.hpp"
#include "perf/probe.hpp"
#include "platform/socket.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

// The process behind the adapter's socket.
Result<int> process_behind(const std::string& socket) {
    CW_TRY_ASSIGN(const auto connection, platform::connect_to(socket));
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return fail_errno("getsockopt(SO_PEERCRED)", errno);
    return credentials.pid;
}

// The adapter moves: its mover takes the second core, which the partitions leave to it where there
// are only two (causeway perf places them so).
Result<void> prepare(Plan& plan) {
    if (plan.socket.empty())
        return fail(ErrorCode::invalid_argument,
                    "--socket must name a running adapter's open entrance");
    CW_TRY_ASSIGN(plan.helper, process_behind(plan.socket));
    if (plan.executor == "adapter" && choose_cores().mover == plan.cores.responder)
        plan.cores.responder = plan.cores.initiator;
    return {};
}

Result<void> prepare_write(Plan& plan) {
    plan.operation = Operation::write;
    return prepare(plan);
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
    using namespace causeway::bench;
    using causeway::perf::make_causeway_endpoint;
    return run_peer(
        argc, argv,
        {.name = "bench_peer_causeway",
         .what = "Causeway between two partitions",
         .variants = {
             {"send", "Send into posted receives", make_causeway_endpoint, prepare},
             {"write", "RDMA Write with immediate", make_causeway_endpoint, prepare_write}}});
}
