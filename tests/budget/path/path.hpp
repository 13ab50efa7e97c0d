// A path: what one message takes on its way, by the library (client_path.cpp) or by the engine
// alone (engine_path.cpp).
//
// Threading: one thread plays both ends. Ownership: a path owns partitions, memory and, where there
// is one, the adapter.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "budget/path/marks.hpp"
#include "budget/path/queue_memory.hpp"

namespace causeway::test {

struct PathOptions {
    std::string executor;   // direct, adapter; engine: the engine alone, in this process
    std::string operation;  // send, write, read, append
    std::uint32_t size = 0;
    std::uint64_t messages = 0;    // that the path has to have room for, with those ahead
    std::uint32_t idle_pairs = 0;  // further queue pairs of the same two completion queues
    bool signaled = true;
    bool asleep = false;  // the receiver sleeps (armed) before each message
    bool waits = false;   // CompletionQueue::wait instead of poll
};

class Path {
public:
    virtual ~Path() = default;

    // Message `i`: before it is counted, the counted part (marks around each stretch of it), and
    // after it, where it is checked.
    virtual void prepare(std::uint64_t i) = 0;
    virtual void run(std::uint64_t i, const Marks& marks) = 0;
    virtual void finish(std::uint64_t i) = 0;

    [[nodiscard]] virtual std::vector<QueueMemory> queue_memory() = 0;
    // The message's bytes before it is sent.
    [[nodiscard]] virtual std::span<std::byte> source() = 0;
    [[nodiscard]] virtual pid_t adapter() const { return -1; }
};

[[nodiscard]] std::unique_ptr<Path> make_client_path(const PathOptions& options);
[[nodiscard]] std::unique_ptr<Path> make_engine_path(const PathOptions& options);

inline void need(bool right, const char* what) {
    if (!right) {
        std::fprintf(stderr, "causeway_path: %s\n", what);
        std::exit(1);
    }
}

}  // namespace causeway::test
