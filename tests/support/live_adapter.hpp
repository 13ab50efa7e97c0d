// LiveAdapter: a real adapter in a process of its own and a runtime directory of its own, and what
// it holds as seen from outside.
//
// Threading: make it before the test has threads (it forks). Ownership: ends the process and
// removes the directory.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"

namespace causeway::adapter {
struct ServerOptions;
}  // namespace causeway::adapter

namespace causeway::test {

struct Holdings {
    std::size_t descriptors = 0;
    std::size_t memory_files = 0;  // mappings of them

    [[nodiscard]] bool operator==(const Holdings&) const = default;
};
[[nodiscard]] std::string text_of(const Holdings& holdings);
[[nodiscard]] Holdings holdings_of(pid_t pid);

class LiveAdapter {
public:
    enum class Kind {
        forked,   // the adapter room in a child of this test: also under the sanitizers
        program,  // $CAUSEWAY_BIN/causewayd
        faults,   // causewayd_faults: with fault points (base/fault_point.hpp)
    };
    using Change = std::function<void(adapter::ServerOptions&)>;
    // `change`: of a forked one only.
    explicit LiveAdapter(Kind kind, std::vector<std::string> entrances = {}, unsigned movers = 1,
                         Change change = nullptr);
    LiveAdapter(const LiveAdapter&) = delete;
    LiveAdapter& operator=(const LiveAdapter&) = delete;
    ~LiveAdapter();

    [[nodiscard]] std::string directory() const { return parent_ / "run"; }
    [[nodiscard]] std::string socket() const { return directory() + "/fabric.sock"; }
    [[nodiscard]] std::string entrance(const std::string& name) const {
        return directory() + "/" + name;
    }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] bool alive() const;

    // What it holds when nothing moves: the same twice in a row, with the least descriptors.
    [[nodiscard]] Holdings settled() const;
    // Waits until it holds exactly this, as a watchdog at most half a minute; what it holds then.
    [[nodiscard]] Holdings settled_to(const Holdings& wanted) const;

    // SIGKILL, and reaps.
    void kill();
    // SIGTERM, and its exit status.
    int stop();
    // A new process in the same directory.
    void start_again();

private:
    void start();

    Kind kind_;
    std::vector<std::string> entrances_;
    unsigned movers_;
    Change change_;
    TempDirectory parent_;
    pid_t pid_ = -1;
};

// $CAUSEWAY_BIN/NAME, or beside the build's tests when that is not set.
[[nodiscard]] std::string program_path(const std::string& name);

}  // namespace causeway::test
