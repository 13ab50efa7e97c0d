// A partition abuses its doorbells: every byte of their pages, floods of wake-ups, and everything
// that a socket can carry.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "support/command.hpp"
#include "support/holes.hpp"
#include "support/hostile_world.hpp"

namespace causeway::test {
namespace {

class DoorbellHostile : public DataHostile {
protected:
    void SetUp() override {
        DataHostile::SetUp();
        region = attacker->allocate(4096, 0);
        pair = connected();
        bells = {&attacker->mover(), &attacker->completions(), &attacker->events()};
    }
    void TearDown() override {
        pair = {};
        DataHostile::TearDown();
    }
    void post() {
        abi::Descriptor nop = make_descriptor(abi::Opcode::nop, abi::descriptor_flag::kSignaled);
        pair.sends.publish(nop);
    }
    static void set_all(const RawBell& bell) {
        auto& page = *bell.page.at<abi::DoorbellLayout>();
        for (auto& word : page.words)
            word.store(~std::uint64_t{0}, std::memory_order_relaxed);
        page.summary.store(~std::uint64_t{0}, std::memory_order_release);
    }

    RawRegion region;
    RawPair pair;
    std::vector<RawBell*> bells;
};

TEST_F(DoorbellHostile, FlipsEveryByteOfEveryPage) {
    const char byte = 1;
    for (RawBell* bell : bells) {
        for (std::size_t position = 0; position < bell->page.size(); ++position) {
            auto* const at = reinterpret_cast<std::uint8_t*>(bell->page.data()) + position;
            post();
            __atomic_fetch_xor(at, 0xff, __ATOMIC_RELAXED);
            (void)::send(attacker->mover().socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            std::this_thread::yield();
            __atomic_fetch_xor(at, 0xff, __ATOMIC_RELAXED);
            (void)pair.take_all();
        }
        ASSERT_TRUE(bystanders->go_on()) << bystanders->trouble();
    }
}

TEST_F(DoorbellHostile, FloodsTheMoverWithEveryBit) {
    std::atomic<bool> stop{false};
    std::thread flood([&] {
        const char byte = 1;
        while (!stop.load(std::memory_order_relaxed)) {
            set_all(attacker->mover());
            (void)::send(attacker->mover().socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    });
    EXPECT_TRUE(bystanders->go_on(30)) << bystanders->trouble();
    stop.store(true);
    flood.join();
}

TEST_F(DoorbellHostile, SendsWhateverASocketCarries) {
    const platform::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::vector<std::byte> large(150'000, std::byte{7});
    for (RawBell* bell : bells) {
        for (int i = 0; i < 300; ++i) {
            (void)::send(bell->socket.get(), large.data(), large.size() >> (i % 17),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
            iovec part{large.data(), 1};
            alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            cmsghdr* const head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(8 * sizeof(int));
            for (std::size_t n = 0; n < 8; ++n) {
                const int fd = null.get();
                std::memcpy(CMSG_DATA(head) + n * sizeof fd, &fd, sizeof fd);
            }
            (void)::sendmsg(bell->socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
            post();
            attacker->ring(pair);
        }
        EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
    }
}

// Pages of doorbells vanish while they are rung and while the adapter looks at them.
TEST_F(DoorbellHostile, PunchesHolesIntoEveryPage) {
    for (RawBell* bell : bells) {
        const Holes holes(bell->file.get(), bell->page.size(), 1);
        for (int i = 0; i < 2000; ++i) {
            post();
            attacker->ring(pair);
            if (i % 16 == 0)
                std::this_thread::yield();
            (void)pair.take_all();
        }
        ASSERT_TRUE(bystanders->go_on()) << bystanders->trouble();
        EXPECT_GT(holes.count(), 100u);
    }
    // It can go on with the same doorbells where it stops that.
    pair = {};
    pair = connected();
    post();
    attacker->ring(pair);
    EXPECT_TRUE(eventually([&] { return pair.take_send().has_value(); }));
}

// Nobody takes what the adapter sends: its own sends must not wait.
TEST_F(DoorbellHostile, NeverReadsItsWakeUps) {
    for (RawBell* bell : bells)
        bell->page.at<abi::DoorbellLayout>()->asleep.store(1);
    for (int i = 0; i < 5000; ++i) {
        post();
        attacker->ring(pair);
        (void)pair.take_all();
        std::this_thread::yield();
    }
    EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
}

TEST_F(DoorbellHostile, ClosesItsEndOfEverySocket) {
    for (RawBell* bell : bells) {
        bell->page.at<abi::DoorbellLayout>()->asleep.store(1);
        bell->socket.reset();
        for (int i = 0; i < 50; ++i)
            post();
        EXPECT_TRUE(bystanders->go_on()) << bystanders->trouble();
    }
}

}  // namespace
}  // namespace causeway::test
