// Ends of the messaging layer that break its rules, by every rule: each loses its connection, with
// the reason, and another one at the same unit goes on undisturbed.
#include <algorithm>

#include "support/messaging_hostile.hpp"

namespace causeway::test {
namespace {

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

TEST_P(MessagingHostile, ASendThatIsLongerThanItsBufferEndsTheConnection) {
    come_properly();
    raw->send(RawMessenger::message(header(), raw->theirs.message_size));
    expect_ended("a message that is longer than its buffer");
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
