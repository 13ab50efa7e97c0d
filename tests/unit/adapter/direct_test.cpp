// What the adapter makes for a direct connection.
#include "adapter/direct.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "platform/mapping.hpp"
#include "platform/memfd.hpp"
#include "platform/wakeup.hpp"
#include "unit/abi/golden.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kAllSeals = platform::kSizeSeals | F_SEAL_SEAL;

TEST(Direct, InboundMemoryStandsAsSpecified) {
    EndOptions options;
    options.id = 0x81828384;
    options.ready_bit = 0x0d0c0b0a;
    options.doorbell_bit = 0x55;
    options.shape = {4, 8, 16, 32};
    const Inbound inbound = make_inbound(options).value();
    EXPECT_EQ(inbound.size, abi::queue_pair_offsets({0, 8, 0, 32}).total);
    EXPECT_EQ(platform::memfd_seals(inbound.memory.get()).value() & kAllSeals, kAllSeals);
    EXPECT_EQ(platform::memfd_seals(inbound.memory.get()).value() & F_SEAL_WRITE, 0u);
    const auto facts = platform::file_facts(inbound.memory.get()).value();
    EXPECT_EQ(facts.size, inbound.size);
    EXPECT_EQ(facts.allocated, inbound.size) << "filled, and charged to the adapter";
    const auto mapping = platform::Mapping::map(inbound.memory.get(), inbound.size).value();
    const std::span<const std::byte> bytes(mapping.data(), mapping.size());
    EXPECT_EQ(test::hex_lines(bytes),
              "0000: 43 55 41 57 59 51 50 31 01 00 01 00 00 00 00 00\n"
              "0010: 00 10 00 00 00 00 00 00 00 00 00 00 08 00 00 00\n"
              "0020: 00 00 00 00 20 00 00 00 00 00 00 00 0a 0b 0c 0d\n"
              "0030: 84 83 82 81 00 00 00 00 00 00 00 00 00 00 00 00\n"
              "0040: 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00\n");
    EXPECT_FALSE(inbound.given_to_owner || inbound.given_to_peer);
}

TEST(Direct, ABellIsOnePageAndTwoEnds) {
    Bell bell = make_bell({1, 2, 3}).value();
    EXPECT_EQ(bell.waiter.files() + bell.waker.files(), 4U);
    EXPECT_EQ(bell.key, (BellKey{1, 2, 3}));
    const auto waiter = platform::file_facts(bell.waiter.page.get()).value();
    const auto waker = platform::file_facts(bell.waker.page.get()).value();
    EXPECT_EQ(waiter.inode, waker.inode);
    EXPECT_EQ(waiter.size, platform::kPage);
    EXPECT_EQ(platform::memfd_seals(bell.waker.page.get()).value() & kAllSeals, kAllSeals);
    const auto page = platform::Mapping::map(bell.waiter.page.get(), platform::kPage).value();
    EXPECT_EQ(test::hex_lines({page.data(), page.size()}), "");
    platform::WakeupSocket sleeper(std::move(bell.waiter.socket));
    platform::WakeupSocket knocker(std::move(bell.waker.socket));
    EXPECT_EQ(bell.waiter.files() + bell.waker.files(), 2U);
    EXPECT_EQ(knocker.notify(), platform::WakeupSocket::Notified::sent);
    EXPECT_EQ(sleeper.drain(), platform::WakeupSocket::Drained::some);
    bell.waiter.page.reset();
    bell.waker.page.reset();
    EXPECT_EQ(bell.waiter.files() + bell.waker.files(), 0U);
}

TEST(Direct, ADuplicateIsOfTheSameFileAndClosedOnExec) {
    const auto memory = platform::create_memfd("test", platform::kPage, 0).value();
    const auto copy = duplicate(memory).value();
    EXPECT_NE(copy.get(), memory.get());
    EXPECT_EQ(platform::file_facts(copy.get()).value().inode,
              platform::file_facts(memory.get()).value().inode);
    EXPECT_NE(::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_FALSE(duplicate(platform::UniqueFd()).has_value());
}

}  // namespace
}  // namespace causeway::adapter
