// What the tests of message queues, pipes and requests stand on: two partitions, and ends that are
// met without a second thread.
//
// Threading: one thread, unless a test starts its own.
#pragma once

#include <poll.h>

#include <causeway/ipc.hpp>
#include <fstream>
#include <string>

#include "conformance/fixture.hpp"

namespace causeway::test {

using namespace std::chrono_literals;

class Ipc : public Conformance {
protected:
    [[nodiscard]] ipc::Options options(std::uint32_t depth = 0, std::uint32_t largest = 0) const {
        ipc::Options made;
        made.depth = depth;
        made.max_message = largest;
        made.executor = GetParam();
        return made;
    }
    // Does the descriptor become readable within `within`?
    [[nodiscard]] static bool readable(int fd, std::chrono::milliseconds within = 0ms) {
        pollfd file{.fd = fd, .events = POLLIN, .revents = 0};
        return ::poll(&file, 1, static_cast<int>(within.count())) == 1;
    }
    static constexpr std::chrono::milliseconds kSoon{20000};  // a watchdog
    // Does that thread of this process sleep now?
    [[nodiscard]] static bool asleep(pid_t thread) {
        std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
        std::string text;
        std::getline(file, text);
        const std::size_t name_ends = text.rfind(") ");
        return name_ends != std::string::npos && text[name_ends + 2] == 'S';
    }

    // `f` until it says true.
    template<typename F>
    static void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (!f()) {
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("did not come about within the watchdog's time");
        }
    }
};

}  // namespace causeway::test
