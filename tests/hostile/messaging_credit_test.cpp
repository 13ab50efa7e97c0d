// Ends of the messaging layer that lie about room: that they have, or that they give back.
#include <algorithm>

#include "support/messaging_hostile.hpp"

namespace causeway::test {
namespace {

const char* const kCredit = "credit for what was never sent";

class MessagingCreditHostile : public MessagingHostile {};
INSTANTIATE_TEST_SUITE_P(Executors, MessagingCreditHostile, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

// It says that it has room for more than it has posted receives for.
TEST_P(MessagingCreditHostile, RoomThatIsNotThereEndsTheConnection) {
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

TEST_P(MessagingCreditHostile, CreditThatCannotBeEndsTheConnection) {
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

TEST_P(MessagingCreditHostile, CreditIsGivenBackOnce) {
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

TEST_P(MessagingCreditHostile, CreditCarriesNothing) {
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

TEST_P(MessagingCreditHostile, WhoIgnoresCreditFillsOnlyItsOwnBuffers) {
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

}  // namespace
}  // namespace causeway::test
