// Ends of the messaging layer that break its rules, by every rule: each loses its connection, with
// the reason, and another one at the same unit goes on undisturbed.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "support/io_ends.hpp"
#include "support/live_adapter.hpp"
#include "support/raw_messenger.hpp"

namespace causeway::test {
namespace {

using messaging::Channel;
using messaging::Message;
using messaging::Service;
using Header = abi::messaging::Header;
using Hello = abi::messaging::Hello;
using Bytes = RawMessenger::Bytes;

constexpr std::uint16_t kService = 4;
constexpr std::uint32_t kBuffers = 4;
constexpr std::uint32_t kMessages = 16;

class MessagingHostile : public testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] static messaging::ChannelTerms terms() {
        messaging::ChannelTerms made;
        made.service = kService;
        made.messages = kMessages;
        made.message = 500;
        made.buffers = kBuffers;
        made.buffer = 70'000;
        made.sends = 16;
        made.place = 1000;
        made.executor = executor_of(GetParam());
        return made;
    }
    MessagingHostile() {
        partition = client::Partition::attach(adapter.socket(), "unit", {}).value();
        service = Service::open(partition, "thing0", terms()).value();
        unit.on_message = [this](Channel& from, const Message& message) {
            if (std::string(from.peer()) == "good")
                ASSERT_EQ(say(from, 2, message.tag, unit.got.back().bytes), ErrorCode::none);
            else if (holds)
                held.emplace_back(&from, message.token);
            if (std::string(from.peer()) == "good" || !holds)
                from.release(message.token);
        };
        unit.on_ended = [this](Channel& from) {
            for (const auto& [channel, token] : std::exchange(held, {}))
                channel->release(token);
            ended_peers.insert(from.peer());
            reason = from.reason();
        };
        good = std::make_unique<messaging::Host>(messaging::HostTerms{.socket = adapter.socket(),
                                                                      .name = "good",
                                                                      .target = "unit/thing0",
                                                                      .channel = terms()});
        until([&] { return good->channel() != nullptr && unit.opened_count == 1; });
    }
    ~MessagingHostile() override {
        raw.reset();
        good.reset();
        service.reset();
        partition->close();
    }

    void step() {
        if (service)
            (void)service->step(unit);
        (void)good->step(mine);
        if (raw)
            raw->step();
    }
    template<typename F>
    void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!f()) {
            step();
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("did not come about: " + good->trouble() + unit.why);
        }
    }
    // A raw end that has the unit's Hello, and has said nothing.
    void come() {
        raw = std::make_unique<RawMessenger>(adapter.socket(), "bad", executor_of(GetParam()));
        raw->pair.connect("unit/thing0", 0).value();
        until([&] { return raw->greeted; });
    }
    void come_properly() {
        come();
        const int before = unit.opened_count;
        raw->send(RawMessenger::bytes_of(raw->proper_hello(kService)));
        until([&] { return unit.opened_count == before + 1; });
    }
    // The unit ends the raw end's connection and says this; the good one notices nothing.
    void expect_ended(const std::string& why, ErrorCode code = ErrorCode::protocol) {
        until([&] { return unit.ended_count == 1; });
        EXPECT_EQ(unit.why, why);
        EXPECT_EQ(reason, code);
        EXPECT_EQ(ended_peers, std::set<std::string>{"bad"});
        until([&] { return service->channels().size() == 1; });  // nothing of it is kept
        // And it notices.
        until([&] { return raw->ended || raw->pair.state() == abi::QueuePairState::closed; });
        expect_good_goes_on();
        raw.reset();
        unit.ended_count = 0;
        ended_peers.clear();
        unit.got.clear();
    }
    void expect_good_goes_on() {
        ASSERT_NE(good->channel(), nullptr);
        for (const std::size_t length : {std::size_t{10}, std::size_t{60'000}}) {
            const std::size_t before = mine.got.size();
            const std::string text(std::min<std::size_t>(length, 900), 'g');
            until([&] { return say(*good->channel(), 1, 7, text) == ErrorCode::none; });
            until([&] { return mine.got.size() == before + 1; });
            EXPECT_EQ(mine.got.back().bytes, text);
        }
        EXPECT_EQ(good->connections(), 1U);
    }
    [[nodiscard]] static Header header(const std::function<void(Header&)>& change = {}) {
        Header made{};
        made.kind = 1;
        if (change)
            change(made);
        return made;
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    std::shared_ptr<client::Partition> partition;
    std::unique_ptr<Service> service;
    std::unique_ptr<messaging::Host> good;
    std::unique_ptr<RawMessenger> raw;
    Keeper unit;
    Keeper mine;
    bool holds = false;
    std::vector<std::pair<Channel*, std::uint32_t>> held;
    std::set<std::string> ended_peers;
    ErrorCode reason = ErrorCode::none;
};
INSTANTIATE_TEST_SUITE_P(Executors, MessagingHostile, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

const char* const kNobody = "what answers there is no I/O unit or host module";
const char* const kNonsense = "its Hello makes no sense";
const char* const kFull = "a large buffer was filled that was not free";
const char* const kLength = "a message without a Header, or longer than its buffer";
const char* const kCredit = "credit for what was never sent";

struct BadHello {
    const char* what;
    std::function<void(Hello&)> change;
    const char* why;
};

// It says that it has room for more than it has posted receives for.
TEST_P(MessagingHostile, RoomThatIsNotThereEndsTheConnection) {
    come();
    raw->posts = false;
    const int before = unit.opened_count;
    Hello hello = raw->proper_hello(kService);
    hello.messages = 2 * RawMessenger::kReceives;
    raw->send(RawMessenger::bytes_of(hello));
    until([&] { return unit.opened_count == before + 1; });
    const auto& all = service->channels();
    const auto bad = std::find_if(all.begin(), all.end(), [](const auto& channel) {
        return channel->peer() == std::string("bad");
    });
    ASSERT_NE(bad, all.end());
    Channel& channel = **bad;
    until([&] {
        if (!channel.ended())
            (void)say(channel, 2, 0, "more");
        return channel.ended();
    });
    expect_ended("the other end has no room for what it offered room for");
}

TEST_P(MessagingHostile, AHelloThatIsNoneEndsTheConnection) {
    namespace wire = abi::messaging;
    const std::vector<BadHello> all{
        {"magic", [](Hello& hello) { hello.magic ^= 1; }, kNobody},
        {"major", [](Hello& hello) { ++hello.major; },
         "the other end speaks another version of the messaging layer"},
        {"no major", [](Hello& hello) { hello.major = 0; },
         "the other end speaks another version of the messaging layer"},
        {"service", [](Hello& hello) { hello.service = 1; }, "the unit is of another kind"},
        {"no messages", [](Hello& hello) { hello.messages = 0; }, kNonsense},
        {"too many messages", [](Hello& hello) { hello.messages = wire::kMostMessages + 1; },
         kNonsense},
        {"all messages", [](Hello& hello) { hello.messages = UINT32_MAX; }, kNonsense},
        {"no message size", [](Hello& hello) { hello.message_size = 0; }, kNonsense},
        {"small message size",
         [](Hello& hello) { hello.message_size = wire::kLeastMessageSize - 1; }, kNonsense},
        {"large message size",
         [](Hello& hello) { hello.message_size = wire::kMostMessageSize + 1; }, kNonsense},
        {"all message size", [](Hello& hello) { hello.message_size = UINT32_MAX; }, kNonsense},
        {"too many buffers", [](Hello& hello) { hello.buffers = wire::kMostBuffers + 1; },
         kNonsense},
        {"all buffers", [](Hello& hello) { hello.buffers = UINT32_MAX; }, kNonsense},
        {"small buffers", [](Hello& hello) { hello.buffer_size = 31; }, kNonsense},
        {"large buffers", [](Hello& hello) { hello.buffer_size = wire::kMostBufferSize + 1; },
         kNonsense},
        {"all buffer size", [](Hello& hello) { hello.buffer_size = UINT32_MAX; }, kNonsense},
        {"reserved", [](Hello& hello) { hello.reserved = 1; }, kNonsense},
        {"more", [](Hello& hello) { hello.more[0] = 1; }, kNonsense},
        {"even more", [](Hello& hello) { hello.more[1] = std::uint64_t{1} << 63; }, kNonsense},
    };
    for (const BadHello& each : all) {
        SCOPED_TRACE(each.what);
        come();
        Hello hello = raw->proper_hello(kService);
        each.change(hello);
        raw->send(RawMessenger::bytes_of(hello));
        expect_ended(each.why);
    }
    for (const std::size_t length : {0U, 1U, 32U, 63U, 65U, 500U}) {
        SCOPED_TRACE(length);
        come();
        Bytes bytes = RawMessenger::bytes_of(raw->proper_hello(kService));
        bytes.resize(length);
        raw->send(bytes);
        expect_ended(kNobody);
    }
    EXPECT_EQ(unit.opened_count, 1);  // the good one
}

TEST_P(MessagingHostile, DataBeforeTheHelloEndsTheConnection) {
    come();
    raw->write(0, RawMessenger::message(header()), 0);
    expect_ended("no Hello came first");
    come();
    raw->send(RawMessenger::message(header(), 32));
    expect_ended(kNobody);
}

TEST_P(MessagingHostile, WhoSaysNothingIsLetGo) {
    service.reset();
    auto impatient = terms();
    impatient.hello_ns = 100'000'000;
    service = Service::open(partition, "thing0", impatient).value();
    until([&] { return good->connections() == 2 && good->channel() != nullptr; });
    unit.ended_count = 0;
    ended_peers.clear();
    raw = std::make_unique<RawMessenger>(adapter.socket(), "bad", executor_of(GetParam()));
    raw->pair.connect("unit/thing0", 0).value();
    until([&] { return unit.ended_count == 1 && raw->ended; });
    EXPECT_EQ(unit.why, "the other end has said no Hello in time");
    EXPECT_EQ(reason, ErrorCode::timed_out);
    until([&] { return service->channels().size() == 1; });
}

TEST_P(MessagingHostile, ASecondHelloEndsTheConnection) {
    come_properly();
    raw->send(RawMessenger::bytes_of(raw->proper_hello(kService)));
    expect_ended(kCredit);
}

TEST_P(MessagingHostile, ALargeBufferThatIsNotThePeersToFillEndsTheConnection) {
    for (const std::uint32_t immediate : {kBuffers, kBuffers + 1, 0x10000U, UINT32_MAX}) {
        SCOPED_TRACE(immediate);
        come_properly();
        raw->write(0, RawMessenger::message(header(), 10), immediate);
        expect_ended(kFull);
    }
    // The same one twice, while it is held.
    holds = true;
    come_properly();
    raw->write(2, RawMessenger::message(header(), 10), 2);
    until([&] { return held.size() == 1; });
    raw->write(2, RawMessenger::message(header(), 10), 2);
    expect_ended(kFull);
}

TEST_P(MessagingHostile, AWriteOfWhichNothingTellsIsNoMessage) {
    come_properly();
    raw->write(1, RawMessenger::message(header([](Header& h) { h.returns = 99; }), 100), {});
    raw->write(0, RawMessenger::message(header([](Header& h) { h.tag = 5; }), 100), 0);
    until([&] { return unit.got.size() == 1; });
    EXPECT_EQ(unit.got[0].tag, 5U);
    EXPECT_EQ(unit.ended_count, 0);
    expect_good_goes_on();
    // Outside of what was offered there is nothing to write to, whoever tries.
    const std::uint32_t before = raw->sends_ended;
    raw->write(1000, Bytes(64), {});
    until([&] { return raw->sends_ended == before + 1; });
    EXPECT_EQ(raw->last_send, static_cast<std::uint32_t>(CW_REMOTE_ACCESS));
    expect_good_goes_on();
}

TEST_P(MessagingHostile, AMessageOfImpossibleLengthEndsTheConnection) {
    for (const std::size_t length : {0U, 1U, 31U}) {
        SCOPED_TRACE(length);
        come_properly();
        raw->send(Bytes(length));
        expect_ended(kLength);
        come_properly();
        raw->write(0, Bytes(length), 0);
        expect_ended(kLength);
    }
    // Over the end of its large buffer, into the next one.
    come_properly();
    raw->write(0, RawMessenger::message(header(), raw->theirs.buffer_size - 31), 0);
    expect_ended(kLength);
}

TEST_P(MessagingHostile, CreditThatCannotBeEndsTheConnection) {
    const std::vector<std::pair<const char*, std::function<void(Header&)>>> all{
        {"more buffers than fit", [](Header& h) { h.returns = 9; }},
        {"all buffers", [](Header& h) { h.returns = UINT16_MAX; }},
        {"a buffer that was never used", [](Header& h) { h.returns = 1; }},
        {"a buffer that is not there",
         [](Header& h) {
             h.returns = 1;
             h.returned[0] = 4;
         }},
        {"no buffer at all",
         [](Header& h) {
             h.returns = 8;
             std::fill(std::begin(h.returned), std::end(h.returned), UINT16_MAX);
         }},
        {"consumed one that was not sent", [](Header& h) { h.consumed = 1; }},
        {"consumed less than nothing", [](Header& h) { h.consumed = UINT32_MAX; }},
        {"consumed half of all", [](Header& h) { h.consumed = 1U << 31; }},
    };
    for (const auto& [what, change] : all) {
        SCOPED_TRACE(what);
        for (const std::uint16_t kind : {std::uint16_t{1}, std::uint16_t{0}}) {
            come_properly();
            Header made = header(change);
            made.kind = kind;
            raw->send(RawMessenger::message(made));
            expect_ended(kCredit);
        }
        come_properly();
        raw->write(0, RawMessenger::message(header(change), 700), 0);
        expect_ended(kCredit);
    }
}

TEST_P(MessagingHostile, CreditIsGivenBackOnce) {
    // Two messages and a large one to the raw end; it gives back each once too often.
    const auto furnished = [&] {
        come_properly();
        until([&] { return unit.last != nullptr && std::string(unit.last->peer()) == "bad"; });
        Channel& channel = *unit.last;
        for (const std::size_t length : {10U, 10U, 1000U})
            ASSERT_EQ(say(channel, 2, 0, std::string(length, 'u')), ErrorCode::none);
        until([&] { return raw->got.size() == 4; });  // with the Hello
    };
    furnished();
    raw->send(RawMessenger::message(header([](Header& h) { h.consumed = 2; })));
    raw->send(RawMessenger::message(header([](Header& h) { h.consumed = 1; })));
    expect_ended(kCredit);

    furnished();
    raw->send(RawMessenger::message(header([](Header& h) { h.consumed = 3; })));
    expect_ended(kCredit);

    furnished();
    const auto returned = header([](Header& h) { h.returns = 1; });
    raw->send(RawMessenger::message(returned));
    raw->send(RawMessenger::message(returned));
    expect_ended(kCredit);

    furnished();
    raw->send(RawMessenger::message(header([](Header& h) { h.returns = 2; })));  // 0 twice
    expect_ended(kCredit);
}

TEST_P(MessagingHostile, CreditCarriesNothing) {
    const char* const behind = "credit with something behind it";
    for (const std::size_t length : {1U, 400U}) {
        come_properly();
        raw->send(RawMessenger::message(Header{}, length));
        expect_ended(behind);
    }
    for (const std::size_t length : {0U, 1U, 1000U}) {
        come_properly();
        raw->write(0, RawMessenger::message(Header{}, length), 0);
        expect_ended(behind);
    }
}

TEST_P(MessagingHostile, ASendThatIsLongerThanItsBufferEndsTheConnection) {
    come_properly();
    raw->send(RawMessenger::message(header(), raw->theirs.message_size));
    expect_ended("a message that is longer than its buffer");
}

TEST_P(MessagingHostile, WhoIgnoresCreditFillsOnlyItsOwnBuffers) {
    holds = true;
    come_properly();
    const std::uint32_t posted = kMessages + kBuffers + abi::messaging::spare_receives(kBuffers);
    const Header one = header();
    for (std::uint32_t i = 0; i < 2 * posted; ++i)
        raw->send(RawMessenger::message(one, 100));
    until([&] { return held.size() == posted; });
    expect_good_goes_on();
    EXPECT_EQ(held.size(), posted);
    EXPECT_LT(raw->sends_ended, 2 * posted);  // the others wait where they are: at the sender
    // As it takes them again, the rest comes, and nothing was lost.
    holds = false;
    std::size_t got = 0;
    until([&] {
        for (const auto& [channel, token] : std::exchange(held, {}))
            channel->release(token);
        got = unit.got.size() - std::count_if(unit.got.begin(), unit.got.end(),
                                              [](const Got& each) { return each.tag == 7; });
        return got == 2 * posted || unit.ended_count == 1;
    });
    EXPECT_EQ(unit.ended_count, 0) << unit.why;
    expect_good_goes_on();
}

TEST_P(MessagingHostile, WhoConnectsAgainAndAgainTakesNoMoreThanItsShare) {
    come();
    std::vector<std::unique_ptr<client::QueuePair>> pairs;
    client::QueuePairTerms few;
    few.executor = executor_of(GetParam());
    std::size_t most = 0;
    const auto closed = [&] {
        return std::count_if(pairs.begin(), pairs.end(), [](const auto& pair) {
            return pair->state() == abi::QueuePairState::closed;
        });
    };
    constexpr std::uint32_t kTried = 3 * messaging::kMostOfOne;
    const auto connect = [&] {
        pairs.push_back(std::make_unique<client::QueuePair>(raw->partition, raw->queue, few));
        pairs.back()->open().value();
        const cw_slice slice{raw->in.data(), RawMessenger::kReceive, raw->in.handle()};
        ASSERT_EQ(pairs.back()->post_receive(&slice, 1, 0), ErrorCode::none);  // for a Hello
        pairs.back()->connect("unit/thing0", 0).value();
    };
    for (std::uint32_t i = 0; i < kTried; ++i) {
        connect();
        until([&] {
            most = std::max(most, service->channels().size());
            return pairs.back()->state() != abi::QueuePairState::connecting;
        });
    }
    until([&] { return closed() == kTried - messaging::kMostOfOne + 1; });
    EXPECT_EQ(most, 1 + messaging::kMostOfOne);
    EXPECT_NE(service->trouble().find("partition bad has 16 connections"), std::string::npos)
        << service->trouble();
    expect_good_goes_on();
    // Others come in, and so does it where it let go of one.
    messaging::Host late(
        {.socket = adapter.socket(), .name = "late", .target = "unit/thing0", .channel = terms()});
    Keeper keeper;
    until([&] {
        (void)late.step(keeper);
        return late.channel() != nullptr;
    });
    pairs.clear();
    until([&] { return service->channels().size() == 3; });
    connect();
    until([&] { return service->channels().size() == 4; });
    pairs.clear();
}

TEST_P(MessagingHostile, AHostModuleSaysWhatIsWrongWithAUnitAndWaitsForABetterOne) {
    const auto impostor = [&](const std::function<void(Hello&)>& change) {
        auto made =
            std::make_unique<RawMessenger>(adapter.socket(), "impostor", executor_of(GetParam()));
        auto listener = client::Listener::create(made->partition, "thing1", 4).value();
        messaging::Host host({.socket = adapter.socket(),
                              .name = "host",
                              .target = "impostor/thing1",
                              .channel = terms()});
        Keeper keeper;
        until([&] {
            (void)host.step(keeper);
            return listener.accept(made->pair, 0).has_value();
        });
        Hello hello = made->proper_hello(kService);
        change(hello);
        made->send(RawMessenger::bytes_of(hello));
        until([&] {
            (void)host.step(keeper);
            made->step();
            return !host.trouble().empty();
        });
        EXPECT_EQ(host.channel(), nullptr);
        EXPECT_EQ(keeper.opened_count, 0);
        EXPECT_EQ(host.trouble_code(), ErrorCode::protocol);
        return host.trouble();
    };
    EXPECT_NE(impostor([](Hello& hello) { hello.magic = 0; }).find(kNobody), std::string::npos);
    EXPECT_NE(impostor([](Hello& hello) { hello.buffers = UINT32_MAX; }).find(kNonsense),
              std::string::npos);
    EXPECT_NE(impostor([](Hello& hello) { hello.service = 2; }).find("another kind"),
              std::string::npos);
}

}  // namespace
}  // namespace causeway::test
