// MessagingHostile: a unit of the messaging layer, a host module that behaves, and a raw end that
// does not.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/io_ends.hpp"
#include "support/live_adapter.hpp"
#include "support/raw_messenger.hpp"

namespace causeway::test {

using messaging::Channel;
using messaging::Message;
using messaging::Service;
using Header = abi::messaging::Header;
using Hello = abi::messaging::Hello;
using Bytes = RawMessenger::Bytes;

inline constexpr std::uint16_t kService = 4;
inline constexpr std::uint32_t kBuffers = 4;
inline constexpr std::uint32_t kMessages = 16;

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

}  // namespace causeway::test
