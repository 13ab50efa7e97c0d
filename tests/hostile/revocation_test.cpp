// Memory is taken back while a mover is in the middle of a copy and does not come on, as in a page
// fault that takes its time: once the call has returned nothing is written any more. Deregistering
// does not even wait for that mover: what it writes then goes elsewhere.
#include <gtest/gtest.h>

#include <atomic>
#include <causeway/causeway.hpp>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "support/held_thread.hpp"
#include "support/in_process_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSize = 64 << 20;  // a copy of some milliseconds

class Revocation : public testing::Test {
protected:
    Revocation() {
        std::memset(source.data(), 1, kSize);
        std::memset(target.data(), 2, kSize);
        pair.connect("right/door", 0ns).value();
        listener.accept(other, 30s).value();
    }
    // Holds the mover in a copy, takes back meanwhile, and lets the mover go on.
    enum class Returns { at_once, when_the_mover_has_passed };
    void take_back(const std::function<Result<Reach>()>& how, Returns returns) {
        std::optional<HeldThread> mover;
        for (int tries = 0; tries < 100 && !mover; ++tries) {
            pair.post_write(source.slice(0, kSize), target.remote(), 1).value();
            const volatile std::byte* const bytes = target.data();
            while (bytes[0] == std::byte{2}) {}
            mover.emplace("cw-mover-0");
            if (bytes[kSize - 1] != std::byte{2}) {  // too late
                mover.reset();
                ASSERT_EQ(queue.wait(30s).size(), 1u);
                std::memset(target.data(), 2, kSize);
            }
        }
        ASSERT_TRUE(mover.has_value()) << "no copy could be caught";
        std::atomic<bool> returned{false};
        std::thread taking([&] {
            EXPECT_TRUE(how().has_value());
            returned = true;
        });
        if (returns == Returns::at_once) {
            taking.join();
        } else {
            std::this_thread::sleep_for(50ms);
            EXPECT_FALSE(returned);
        }
        std::vector<std::byte> then(target.data(), target.data() + kSize);
        mover.reset();
        if (returns != Returns::at_once) {
            taking.join();
            then.assign(target.data(), target.data() + kSize);
        }
        const CompletionBatch ended = queue.wait(30s);
        ASSERT_EQ(ended.size(), 1u);
        EXPECT_EQ(ended.front().status(), Status::remote_access);
        EXPECT_EQ(std::memcmp(then.data(), target.data(), kSize), 0) << "written after the return";
        EXPECT_EQ(target.data()[kSize - 1], std::byte{2});
    }

    InProcessAdapter adapter;
    Partition a = Partition::attach("left", {adapter.socket()}).value();
    Partition b = Partition::attach("right", {adapter.socket()}).value();
    Region source = a.allocate(kSize).value();
    Region target = b.allocate(kSize, Access::remote_write).value();
    CompletionQueue queue = a.create_completion_queue(16).value();
    CompletionQueue others = b.create_completion_queue(16).value();
    QueuePair pair = a.create_queue_pair({.completions = queue, .executor = "adapter"}).value();
    QueuePair other = b.create_queue_pair({.completions = others, .executor = "adapter"}).value();
    Listener listener = b.listen("door").value();
};

TEST_F(Revocation, DeregisteringDoesNotWaitForAMoverThatIsStuck) {
    take_back([this] { return target.deregister(); }, Returns::at_once);
}

TEST_F(Revocation, NarrowingWaitsForAMoverThatIsStuck) {
    take_back([this] { return target.narrow(Access::local); }, Returns::when_the_mover_has_passed);
}

}  // namespace
}  // namespace causeway::test
