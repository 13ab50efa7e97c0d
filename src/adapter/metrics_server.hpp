// MetricsServer: answers scrapers (Prometheus) over HTTP.
//
// An HTTP library was not taken: cpp-httplib and civetweb (in prometheus-cpp) keep a thread per
// connection, or queue accepted connections without bound, and time single reads instead of whole
// requests. Here a stranger's connections must cost the adapter neither descriptors nor threads.
//
// Threading: start() and destruction on the control thread; the rest runs on a thread of its own.
// It asks the control thread for a snapshot through the inbox, and never waits for it: nor does the
// control thread ever wait for this one, but in the destructor.
// Ownership: owns its thread, sockets and connections; shares the inbox.
//
// Invariants:
//  1. There are at most kMostConnections; the oldest that has not said what it wants makes room for
//     the next. A connection lives for kPatienceNs at most, however it dawdles.
//  2. One snapshot is asked for at a time, and everybody who waits gets it. Taking it uses a
//     twentieth of the control thread's time at most: until then the last text is given out again.
//  3. Without connections the thread sleeps.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "adapter/inbox.hpp"
#include "adapter/log.hpp"
#include "adapter/snapshot.hpp"
#include "base/result.hpp"

namespace causeway::adapter {

class MetricsServer {
public:
    static constexpr std::size_t kMostConnections = 32;
    static constexpr std::uint64_t kPatienceNs = 5'000'000'000;
    // Descriptors that it has open at most.
    static constexpr std::uint64_t kMostFiles = kMostConnections + 4;

    // `address`: as parse_metrics_address() takes it. `take` runs on the control thread. Errors:
    // invalid_argument, system (the address is in use, or not one of this host).
    [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(
        const std::string& address, std::shared_ptr<Inbox> inbox, std::function<Snapshot()> take,
        const Log& log);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    class Loop;
    MetricsServer();
    std::unique_ptr<Loop> loop_;
    std::uint16_t port_ = 0;
};

}  // namespace causeway::adapter
