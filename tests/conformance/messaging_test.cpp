// The push-push messaging layer: sizes, order, credit, buffers given back out of order, zero-copy
// forwarding, and ends that go and come back.
#include <gtest/gtest.h>

#include <random>

#include "support/io_ends.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

using messaging::Channel;
using messaging::ChannelTerms;
using messaging::Host;
using messaging::Message;
using messaging::Service;

class Messaging : public testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] static ChannelTerms terms() {
        ChannelTerms made;
        made.service = 4;  // ControllerType::other
        made.features = 5;
        made.messages = 16;
        made.message = 500;
        made.buffers = 4;
        made.buffer = 70'000;
        made.sends = 16;
        made.place = 70'000;
        made.executor = executor_of(GetParam());
        return made;
    }
    void open_service(const ChannelTerms& with = terms()) {
        partition = client::Partition::attach(adapter.socket(), "unit", {}).value();
        service = Service::open(partition, "thing0", with).value();
    }
    void close_service() {
        service.reset();
        partition->close();
        partition.reset();
    }
    void open_host(const ChannelTerms& with = terms()) {
        host = std::make_unique<Host>(messaging::HostTerms{
            .socket = adapter.socket(), .name = "host", .target = "unit/thing0", .channel = with});
    }
    void open_both() {
        open_service();
        open_host();
        until([&] { return host->channel() != nullptr && unit.opened_count == 1; });
    }
    void step() {
        if (service)
            (void)service->step(unit);
        if (host)
            (void)host->step(mine);
    }
    template<typename F>
    void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!f()) {
            step();
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("did not come about: " + (host ? host->trouble() : ""));
        }
    }
    [[nodiscard]] Channel& channel() { return *host->channel(); }
    // From the host module, as soon as there is room.
    void send(std::uint16_t kind, std::uint64_t tag, const std::string& text) {
        until([&] {
            const ErrorCode code = say(channel(), kind, tag, text);
            EXPECT_TRUE(code == ErrorCode::none || code == ErrorCode::again);
            return code == ErrorCode::none;
        });
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    std::shared_ptr<client::Partition> partition;
    std::unique_ptr<Service> service;
    std::unique_ptr<Host> host;
    Keeper unit;
    Keeper mine;
};
INSTANTIATE_TEST_SUITE_P(Executors, Messaging, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(Messaging, CarriesMessagesOfEverySizeBothWays) {
    open_both();
    EXPECT_STREQ(channel().executor(), GetParam());
    EXPECT_GE(channel().largest(), 70'000U);
    std::uint64_t tag = 0;
    for (const std::size_t length :
         {0U, 1U, 31U, 32U, 33U, 468U, 499U, 500U, 501U, 4096U, 70'000U}) {
        const std::string text(length, static_cast<char>('a' + length % 26));
        send(3, ++tag, text);
        until([&] { return unit.got.size() == tag; });
        EXPECT_EQ(unit.got.back().bytes, text);
        EXPECT_EQ(unit.got.back().tag, tag);
        EXPECT_EQ(unit.got.back().kind, 3);
        ASSERT_EQ(say(*unit.last, 4, tag, text), ErrorCode::none);
        until([&] { return mine.got.size() == tag; });
        EXPECT_EQ(mine.got.back().bytes, text);
        EXPECT_EQ(mine.got.back().kind, 4);
    }
}

TEST_P(Messaging, KeepsOrderOverSmallAndLargeAndHoldsBackWhoHasNoCredit) {
    open_both();
    std::mt19937 random(5);
    constexpr std::uint64_t kMessages = 3000;
    std::uint64_t next = 0;
    unit.on_message = [&](Channel& from, const Message& message) {
        EXPECT_EQ(message.tag, next++);
        for (const char c : unit.got.back().bytes)
            ASSERT_EQ(c, static_cast<char>(message.tag));
        unit.got.clear();
        from.release(message.token);
    };
    for (std::uint64_t tag = 0; tag < kMessages; ++tag) {
        const std::size_t length = random() % 4 == 0 ? random() % 70'000 : random() % 500;
        send(1, tag, std::string(length, static_cast<char>(tag)));
    }
    until([&] { return next == kMessages; });
}

TEST_P(Messaging, SendsNoMoreThanThePeerHasRoomFor) {
    open_both();
    std::vector<std::uint32_t> held;
    unit.on_message = [&](Channel&, const Message& message) { held.push_back(message.token); };
    for (int i = 0; i < 16; ++i)
        ASSERT_EQ(say(channel(), 1, 0, "small"), ErrorCode::none);
    EXPECT_EQ(say(channel(), 1, 0, "small"), ErrorCode::again);
    for (int i = 0; i < 4; ++i)
        ASSERT_EQ(say(channel(), 1, 0, std::string(1000, 'x')), ErrorCode::none);
    EXPECT_EQ(say(channel(), 1, 0, std::string(1000, 'x')), ErrorCode::again);
    EXPECT_FALSE(channel().has_room(70'001 + 64));
    until([&] { return held.size() == 20; });
    // Given back in any order, by a message of its own where nothing else is said.
    std::shuffle(held.begin(), held.end(), std::mt19937(3));
    for (const std::uint32_t token : held)
        unit.last->release(token);
    until([&] { return channel().has_room(5) && channel().has_room(1000); });
    held.clear();
    int more = 0;
    until([&] {
        if (say(channel(), 1, 0, std::string(1000, 'y')) == ErrorCode::none)
            ++more;
        for (const std::uint32_t token : std::exchange(held, {}))
            unit.last->release(token);
        return more == 100;
    });
}

TEST_P(Messaging, ForwardsFromWhereAMessageLies) {
    open_both();
    std::vector<std::uint32_t> tokens(64);
    std::uint64_t cookie = 0;
    unit.on_message = [&](Channel& from, const Message& message) {
        const cw_slice slice = message.slice();
        tokens[cookie] = message.token;
        EXPECT_EQ(from.send(9, message.tag, {}, {&slice, 1}, cookie++), ErrorCode::none);
    };
    unit.on_sent = [&](Channel& from, std::uint64_t which) { from.release(tokens[which]); };
    std::uint64_t tag = 0;
    for (const std::size_t length : {0U, 20U, 400U, 501U, 65'000U, 70'000U, 3U, 60'000U, 12'345U}) {
        ++tag;
        send(1, tag, std::string(length, static_cast<char>('a' + tag)));
        until([&] { return mine.got.size() == tag; });
        EXPECT_EQ(mine.got.back().bytes, std::string(length, static_cast<char>('a' + tag)));
        EXPECT_EQ(mine.got.back().kind, 9);
    }
    until([&] { return unit.sent_cookies.size() == tag; });
    EXPECT_EQ(unit.last->holds(), 0U);
}

TEST_P(Messaging, PutsDataWherePeerSaidBeforeTheMessageAboutIt) {
    open_both();
    auto target =
        client::Region::allocate(host->partition(), 1 << 20,
                                 {.access = CW_ACCESS_REMOTE_WRITE | CW_ACCESS_EXPORTABLE})
            .value();
    auto source =
        client::Region::allocate(partition, 1 << 20, {.access = CW_ACCESS_EXPORTABLE}).value();
    std::memset(source.data(), 'p', 1 << 20);
    const cw_slice all{source.data(), 1 << 20, source.handle()};
    until([&] { return unit.last != nullptr; });
    ASSERT_EQ(unit.last->put(target.remote(0), {&all, 1}), ErrorCode::none);
    ASSERT_EQ(say(*unit.last, 2, 5, "there"), ErrorCode::none);
    until([&] { return mine.got.size() == 1; });
    EXPECT_EQ(std::string(reinterpret_cast<char*>(target.data()), 1 << 20),
              std::string(1 << 20, 'p'));
}

TEST_P(Messaging, AHostComesBackToAUnitThatDoes) {
    open_both();
    send(1, 1, "before");
    until([&] { return unit.got.size() == 1; });
    mine.on_opened = [](Channel& to) { ASSERT_EQ(say(to, 1, 2, "again"), ErrorCode::none); };
    for (int round = 1; round <= 3; ++round) {
        close_service();
        until([&] { return mine.ended_count == round; });
        EXPECT_EQ(host->channel(), nullptr);
        open_service();
        until([&] { return mine.opened_count == 1 + round && unit.got.size() == 1U + round; });
        EXPECT_EQ(unit.got.back().bytes, "again");
    }
    EXPECT_EQ(host->connections(), 4U);
}

TEST_P(Messaging, AUnitLetsGoOfAHostThatHasGone) {
    open_both();
    std::vector<std::uint32_t> held;
    unit.on_message = [&](Channel&, const Message& message) { held.push_back(message.token); };
    send(1, 1, std::string(60'000, 'x'));
    until([&] { return held.size() == 1; });
    Channel* const gone = unit.last;
    host.reset();
    until([&] { return unit.ended_count == 1; });
    for (int i = 0; i < 100; ++i)
        step();
    ASSERT_EQ(service->channels().size(), 1U);  // what it sent is still held
    gone->release(held[0]);
    until([&] { return service->channels().empty(); });
}

TEST_P(Messaging, SaysWhyAHostIsNotConnected) {
    open_host();
    until([&] { return !host->trouble().empty(); });
    EXPECT_NE(host->trouble().find("unit"), std::string::npos) << host->trouble();
    ChannelTerms other = terms();
    other.service = 2;
    open_service(other);
    until([&] { return host->trouble().find("another kind") != std::string::npos; });
}

TEST_P(Messaging, ManyHostsShareAService) {
    open_service();
    unit.on_message = [&](Channel& from, const Message& message) {
        EXPECT_EQ(unit.got.back().bytes, from.peer());
        from.release(message.token);
    };
    std::vector<std::unique_ptr<Host>> hosts;
    std::vector<std::unique_ptr<Keeper>> keepers;
    for (int i = 0; i < 5; ++i) {
        hosts.push_back(
            std::make_unique<Host>(messaging::HostTerms{.socket = adapter.socket(),
                                                        .name = "host" + std::to_string(i),
                                                        .target = "unit/thing0",
                                                        .channel = terms()}));
        keepers.push_back(std::make_unique<Keeper>());
    }
    until([&] {
        bool all = unit.got.size() >= 500;
        for (std::size_t i = 0; i < hosts.size(); ++i) {
            (void)hosts[i]->step(*keepers[i]);
            Channel* const to = hosts[i]->channel();
            all = all && to != nullptr;
            if (to != nullptr)
                (void)say(*to, 1, 1, hosts[i]->partition()->name());
        }
        return all;
    });
    EXPECT_EQ(service->channels().size(), 5U);
    for (const auto& keeper : keepers)
        EXPECT_EQ(keeper->ended_count, 0);
}

}  // namespace
}  // namespace causeway::test
