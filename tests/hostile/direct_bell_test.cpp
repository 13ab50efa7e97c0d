// A granted peer abuses the bells between it and the victim: every byte of their pages, floods, and
// whatever can be done with a socket.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "support/direct_hostile.hpp"

namespace causeway::test {
namespace {

class DirectBell : public DirectHostile {
protected:
    void SetUp() override {
        DirectHostile::SetUp();
        renew();
    }
    static void set_all(const RawBell& bell) {
        auto& page = *bell.page.at<abi::DoorbellLayout>();
        for (auto& word : page.words)
            word.store(~std::uint64_t{0}, std::memory_order_relaxed);
        page.summary.store(~std::uint64_t{0}, std::memory_order_release);
    }
    // The victim still takes what is sent and answers: by its own polling, if by nothing else.
    void expect_served() {
        (void)direct.post_receive(region.piece(0, 16384));
        const std::uint64_t received = victim->received();
        ASSERT_TRUE(eventually([&] { return direct.peer_receives.ready(); }));
        const std::byte hello[8] = {};
        ASSERT_TRUE(direct.send_small(hello));
        EXPECT_TRUE(eventually([&] { return victim->received() > received; }));
        (void)direct.take_receives();
    }
};

TEST_F(DirectBell, FlipsEveryByteOfBothPages) {
    for (const bool in : {true, false}) {
        for (std::size_t position = 0; position < sizeof(abi::DoorbellLayout); ++position) {
            std::byte& byte = (in ? direct.bell_in : direct.bell_out)->page.data()[position];
            converse(position);
            flip(byte, 0xff);
            direct.ring();
            (void)linger();
            flip(byte, 0xff);
            if (pair.ended() || position % 128 == 0)
                renew();
        }
        expect_undisturbed();
    }
}

TEST_F(DirectBell, FloodsWithEveryBitAndByte) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> rung{0};
    std::thread flood([&] {
        const char byte = 1;
        while (!stop.load(std::memory_order_relaxed)) {
            set_all(*direct.bell_out);
            (void)::send(direct.bell_out->socket.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            rung.fetch_add(1);
        }
    });
    expect_undisturbed(30);
    EXPECT_TRUE(awaits([&] { return victim->rounds(); }, 50));
    stop.store(true);
    flood.join();
    EXPECT_GT(rung.load(), 100u);
    expect_served();
}

TEST_F(DirectBell, SendsWhateverASocketCarries) {
    const platform::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::vector<std::byte> large(150'000, std::byte{7});
    for (const auto& bell : {direct.bell_in, direct.bell_out}) {
        const int most = 8 << 20;
        (void)::setsockopt(bell->socket.get(), SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
        for (std::uint64_t i = 0; i < 300; ++i) {
            (void)::send(bell->socket.get(), large.data(), large.size() >> (i % 17),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
            std::vector<int> descriptors(8, null.get());
            iovec part{large.data(), 1};
            std::vector<std::byte> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* const head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
            std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size() * sizeof(int));
            (void)::sendmsg(bell->socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        expect_undisturbed();
    }
    expect_served();
}

// Nobody takes what the victim sends: its own ringing must not wait.
TEST_F(DirectBell, NeverReadsItsWakeUps) {
    for (std::uint64_t i = 0; i < 3000; ++i) {
        direct.bell_in->page.at<abi::DoorbellLayout>()->asleep.store(1);
        direct.own.layout().polled.store(0);
        direct.peer.layout().attention.store(abi::attention::kWantsReceive);
        converse(i);
        (void)linger();
    }
    EXPECT_FALSE(pair.ended());
    expect_undisturbed();
    expect_served();
}

TEST_F(DirectBell, ShutsItsSocketsDown) {
    for (const int how : {SHUT_RD, SHUT_WR, SHUT_RDWR}) {
        renew();
        for (const auto& bell : {direct.bell_in, direct.bell_out}) {
            (void)::shutdown(bell->socket.get(), how);
            bell->page.at<abi::DoorbellLayout>()->asleep.store(1);
        }
        expect_served();
        expect_undisturbed();
        direct.give_up_bells();
    }
}

TEST_F(DirectBell, ClosesItsSocketsAndUnmapsItsPages) {
    direct.bell_in->socket.reset();
    direct.bell_in->page.reset();
    expect_served();
    direct.bell_out->socket.reset();
    expect_served();
    expect_undisturbed();
}

// Closing a bell at the adapter, which the victim goes on to use: it has opened it, or else nothing
// would stand in its receive queue.
TEST_F(DirectBell, ClosesItsBellsAtTheAdapter) {
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(eventually([&] { return direct.peer_receives.ready(); }));
        direct.give_up_bells();
        expect_served();
        renew();
    }
    expect_undisturbed();
}

}  // namespace
}  // namespace causeway::test
