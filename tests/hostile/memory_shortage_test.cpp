// A partition in a memory cgroup asks for more than the group has left. It gets an error that says
// so, and goes on: the kernel would have killed it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/in_child.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;

// A group below this process's own, by either version of the interface.
class MemoryGroup {
public:
    explicit MemoryGroup(std::size_t limit) {
        std::ifstream own("/proc/self/cgroup");
        std::string below;
        for (std::string line; std::getline(own, line);) {
            if (line.find(":memory:") != std::string::npos)
                below = line.substr(line.find(":memory:") + 8);
        }
        struct Kind {
            std::string mount, limit;
        };
        for (const Kind& kind : {Kind{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                 Kind{"/sys/fs/cgroup", "memory.max"}}) {
            for (const std::string& parent : {kind.mount + below, kind.mount}) {
                const std::filesystem::path path =
                    parent + "/causeway-test-" + std::to_string(::getpid());
                std::error_code error;
                if (!std::filesystem::create_directory(path, error))
                    continue;
                std::ofstream(path / kind.limit) << limit << std::flush;
                std::size_t found = 0;
                std::ifstream(path / kind.limit) >> found;
                if (found == limit) {
                    path_ = path;
                    return;
                }
                std::filesystem::remove(path, error);
            }
        }
    }
    ~MemoryGroup() {
        for (int tries = 0; made() && ::rmdir(path_.c_str()) != 0 && tries < 1000; ++tries)
            ::usleep(1000);  // whoever was in it has only just gone
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    [[nodiscard]] bool made() const { return !path_.empty(); }
    [[nodiscard]] bool enter() const {
        std::ofstream procs(path_ / "cgroup.procs");
        procs << ::getpid() << std::flush;
        return procs.good();
    }

private:
    std::filesystem::path path_;
};

TEST(MemoryShortage, MoreThanTheCgroupHasLeftIsRefused) {
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    const MemoryGroup group(128 * kMiB);
    if (!group.made())
        GTEST_SKIP() << "no memory cgroup can be made here (root, and the controller)";
    in_child([&] {
        ASSERT_TRUE(group.enter());
        auto partition = Partition::attach("small", {adapter.socket()}).value();
        const auto refused = partition.allocate(256 * kMiB);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, ErrorCode::no_memory);
        EXPECT_NE(refused.error().text.find("cgroup"), std::string::npos) << refused.error().text;
        // What fits is had, is charged, and what then does not fit any more is refused again.
        auto memory = partition.allocate(64 * kMiB).value();
        std::memset(memory.data(), 1, memory.size());
        EXPECT_FALSE(partition.allocate(96 * kMiB).has_value());
        auto queue = partition.create_completion_queue(16).value();
        EXPECT_TRUE(partition.create_queue_pair({.completions = queue}).has_value());
    });
    EXPECT_TRUE(adapter.alive());
}

}  // namespace
}  // namespace causeway::test
