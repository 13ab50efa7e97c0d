#include "platform/wakeup.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "platform/clock.hpp"
#include "platform/limits.hpp"
#include "platform/socket.hpp"

namespace causeway::platform {
namespace {

using Drained = WakeupSocket::Drained;
using Notified = WakeupSocket::Notified;
using Waited = WakeupSocket::Waited;

class Wakeup : public testing::Test {
protected:
    std::pair<WakeupSocket, WakeupSocket> ends_ = WakeupSocket::make_pair().value();
    WakeupSocket& waker_ = ends_.first;
    WakeupSocket& waiter_ = ends_.second;
};

TEST_F(Wakeup, WakesOnce) {
    EXPECT_EQ(waiter_.wait(0), Waited::timed_out);
    EXPECT_EQ(waiter_.drain(), Drained::nothing);
    EXPECT_EQ(waker_.notify(), Notified::sent);
    EXPECT_EQ(waiter_.wait(UINT64_MAX), Waited::woken);
    EXPECT_EQ(waiter_.wait(0), Waited::woken) << "waiting does not drain";
    EXPECT_EQ(waiter_.drain(), Drained::some);
    EXPECT_EQ(waiter_.wait(0), Waited::timed_out);
}

TEST_F(Wakeup, ManyNotifiesNeitherBlockNorPileUp) {
    int sent = 0;
    for (int i = 0; i < 10'000; ++i) {
        const Notified result = waker_.notify();
        ASSERT_NE(result, Notified::peer_gone);
        if (result == Notified::sent)
            ++sent;
    }
    EXPECT_GE(sent, 1);
    EXPECT_LT(sent, 64) << "a handful is queued, the rest is pending anyway";
    EXPECT_EQ(waker_.notify(), Notified::pending);
    EXPECT_EQ(waiter_.drain(), Drained::some);
    EXPECT_EQ(waiter_.drain(), Drained::nothing);
    EXPECT_EQ(waker_.notify(), Notified::sent);
}

TEST_F(Wakeup, DoesNotBlockEvenIfTheModeOfTheFileSaysSo) {
    ASSERT_TRUE(set_blocking(waker_.fd(), Blocking::yes).has_value());
    ASSERT_TRUE(set_blocking(waiter_.fd(), Blocking::yes).has_value());
    for (int i = 0; i < 1000; ++i)
        static_cast<void>(waker_.notify());
    EXPECT_EQ(waiter_.drain(), Drained::some);
    EXPECT_EQ(waiter_.drain(), Drained::nothing);
}

TEST_F(Wakeup, TellsWhenThePeerHasGone) {
    waiter_ = WakeupSocket();
    EXPECT_EQ(waker_.notify(), Notified::peer_gone);
    EXPECT_EQ(waker_.wait(UINT64_MAX), Waited::peer_gone);
    EXPECT_EQ(waker_.drain(), Drained::peer_gone);
}

TEST_F(Wakeup, APendingWakeUpIsSeenBeforeTheEnd) {
    EXPECT_EQ(waker_.notify(), Notified::sent);
    waker_ = WakeupSocket();
    EXPECT_EQ(waiter_.drain(), Drained::peer_gone);
    EXPECT_EQ(waiter_.wait(0), Waited::peer_gone);
}

TEST_F(Wakeup, WaitsItsTimeAndNoLessThanThat) {
    const std::uint64_t before = monotonic_ns();
    EXPECT_EQ(waiter_.wait(15'000'000), Waited::timed_out);
    EXPECT_GE(monotonic_ns() - before, 15'000'000u);
}

TEST_F(Wakeup, WakesAThreadThatSleeps) {
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        EXPECT_EQ(waker_.notify(), Notified::sent);
    });
    EXPECT_EQ(waiter_.wait(UINT64_MAX), Waited::woken);
    other.join();
}

TEST_F(Wakeup, DrainTakesABoundedAmountOfAFlood) {
    // A hostile peer makes its send buffer large and fills it.
    const int large = 1 << 20;
    ::setsockopt(waker_.fd(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    int sent = 0;
    const std::vector<char> message(100, 'x');
    while (::send(waker_.fd(), message.data(), message.size(), MSG_DONTWAIT) > 0)
        ++sent;
    ASSERT_GT(sent, 64);
    int drains = 0;
    while (waiter_.drain() == Drained::some)
        ++drains;
    EXPECT_GE(drains, sent / 64) << "not all at once";
    EXPECT_EQ(waiter_.drain(), Drained::nothing);
}

TEST_F(Wakeup, DescriptorsInAWakeUpDoNotComeIn) {
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    const auto before = open_file_count();
    const std::byte byte{1};
    const auto sent = send_message(waker_.fd(), std::span(&byte, 1), null.get());
    if (sent.has_value()) {
        EXPECT_TRUE(waiter_.may_hold_descriptors());
        EXPECT_EQ(waiter_.drain(), Drained::peer_gone) << "it is looked at, but not taken";
    } else {
        EXPECT_EQ(sent.error().code, ErrorCode::denied) << "this kernel keeps them away";
        EXPECT_EQ(waiter_.drain(), Drained::nothing);
        EXPECT_FALSE(waiter_.may_hold_descriptors());
    }
    EXPECT_EQ(open_file_count(), before);
}

// An end that somebody else made, whose other end is in the hands of who knows whom.
TEST(WakeupFromStranger, DescriptorsDoNotComeInThere) {
    auto pair = make_socket_pair().value();
    const UniqueFd hostile = std::move(pair.first);
    WakeupSocket socket = WakeupSocket::from_stranger(std::move(pair.second));
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    const auto before = open_file_count();
    const std::byte byte{1};
    const bool sent = send_message(hostile.get(), std::span(&byte, 1), null.get()).has_value();
    EXPECT_EQ(socket.drain(), sent ? Drained::peer_gone : Drained::nothing);
    EXPECT_EQ(open_file_count(), before);
    // Where one stands in it the end is not closed, but given to who retires it.
    const UniqueFd kept = socket.retire();
    EXPECT_EQ(kept.valid(), sent);
    EXPECT_FALSE(socket.valid());
    EXPECT_FALSE(send_message(hostile.get(), std::span(&byte, 1), null.get()).has_value())
        << "nothing comes any more";
}

TEST(WakeupFromStranger, RetiringClosesWhatHoldsNothing) {
    auto pair = make_socket_pair().value();
    WakeupSocket socket = WakeupSocket::from_stranger(std::move(pair.second));
    const char bytes[100] = {};
    for (int i = 0; i < 500; ++i)
        (void)::send(pair.first.get(), bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    const auto before = open_file_count().value();
    EXPECT_FALSE(socket.retire().valid());
    EXPECT_EQ(open_file_count().value(), before - 1);
    EXPECT_FALSE(socket.retire().valid()) << "once";
}

TEST(WakeupFromStranger, KnowsWhenTheOtherEndHasBeenHungUp) {
    auto pair = make_socket_pair().value();
    const WakeupSocket socket = WakeupSocket::from_stranger(std::move(pair.second));
    EXPECT_FALSE(socket.hung_up());
    const char byte = 1;
    ASSERT_EQ(::send(pair.first.get(), &byte, 1, MSG_DONTWAIT), 1);
    EXPECT_FALSE(socket.hung_up());
    pair.first.reset();
    EXPECT_TRUE(socket.hung_up());
    EXPECT_FALSE(WakeupSocket().hung_up());
}

}  // namespace
}  // namespace causeway::platform
