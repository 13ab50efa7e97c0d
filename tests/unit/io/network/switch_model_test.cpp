// The switch against a model that says the same as plainly as possible: random ports, frames and
// times, the same decisions and the same counters.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "io/network/switch.hpp"
#include "support/frames.hpp"
#include "support/random.hpp"

namespace causeway::io::network {
namespace {

using test::station;
using Kind = Decision::Kind;

constexpr std::uint64_t kAgeing = 1000;
constexpr std::size_t kEntries = 30;
constexpr std::size_t kPerPort = 8;

class Model {
public:
    struct Port {
        Isolation isolation;
        Sources sources;
        std::uint64_t frames = 0;
        std::uint64_t not_learned = 0;
        std::map<DropReason, std::uint64_t> dropped{};
    };
    struct Place {
        std::uint32_t port;
        bool fixed;
        std::uint64_t seen;
    };

    Decision decide(std::uint32_t from, const MacAddress& to, const MacAddress& source,
                    std::uint64_t now) {
        ++ports.at(from).frames;
        std::erase_if(places, [&](const auto& pair) {
            return !pair.second.fixed && now - pair.second.seen >= kAgeing;
        });
        Decision decision = look(from, to, source, now);
        if (decision.kind == Kind::drop)
            ++ports.at(from).dropped[decision.reason];
        return decision;
    }
    void announce(const MacAddress& mac, std::uint32_t port) {
        if (!places.contains(mac) && places.size() == kEntries) {
            auto oldest = places.end();
            for (auto place = places.begin(); place != places.end(); ++place) {
                if (!place->second.fixed &&
                    (oldest == places.end() || place->second.seen < oldest->second.seen))
                    oldest = place;
            }
            places.erase(oldest);
        }
        places[mac] = {port, true, 0};
    }
    [[nodiscard]] std::size_t places_of(std::uint32_t port) const {
        std::size_t count = 0;
        for (const auto& [mac, place] : places)
            count += place.port == port ? 1 : 0;
        return count;
    }

    std::map<std::uint32_t, Port> ports;
    std::map<MacAddress, Place> places;

private:
    Decision look(std::uint32_t from, const MacAddress& to, const MacAddress& source,
                  std::uint64_t now) {
        const auto dropped = [](DropReason reason) { return Decision{Kind::drop, reason, {}, {}}; };
        const auto known = places.find(source);
        const bool fixed = known != places.end() && known->second.fixed;
        if (ports.at(from).sources == Sources::announced && (!fixed || known->second.port != from))
            return dropped(DropReason::spoofed);
        if (fixed && known->second.port != from)
            return dropped(DropReason::taken);
        if (to.is_link_local())
            return dropped(DropReason::link_local);
        if (!fixed)
            learn(from, source, now);
        const auto place = places.find(to);
        if (!to.is_multicast() && place != places.end()) {
            const std::uint32_t target = place->second.port;
            if (target == from)
                return dropped(DropReason::same_port);
            if (!may_reach(from, target))
                return dropped(DropReason::isolated);
            return {Kind::forward, DropReason::none, PortId(target), PortSet().set(target)};
        }
        PortSet all;
        for (const auto& [number, port] : ports) {
            if (number != from && may_reach(from, number) &&
                (to.is_multicast() || port.sources == Sources::any))
                all.set(number);
        }
        if (all.none())
            return dropped(DropReason::unreachable);
        return {Kind::flood, DropReason::none, {}, all};
    }
    void learn(std::uint32_t from, const MacAddress& source, std::uint64_t now) {
        const auto known = places.find(source);
        const bool mine = known != places.end() && known->second.port == from;
        const bool room = mine || (places_of(from) < kPerPort &&
                                   (known != places.end() || places.size() < kEntries));
        if (room)
            places[source] = {from, false, now};
        else
            ++ports.at(from).not_learned;
    }
    [[nodiscard]] bool may_reach(std::uint32_t from, std::uint32_t to) const {
        return ports.at(from).isolation == Isolation::open ||
               ports.at(to).isolation == Isolation::open;
    }
};

// Both, driven together.
class Pair {
public:
    explicit Pair(std::uint64_t seed) : random_(seed) {}

    void step() {
        // Never the same time twice, so that "silent longest" is one entry only.
        now_ += 1 + random_.below(random_.one_in(50) ? kAgeing : 20);
        if (model_.ports.empty() || (model_.ports.size() < 10 && random_.one_in(30)))
            add();
        else if (random_.one_in(60))
            remove();
        else
            send();
    }
    void compare(std::map<DropReason, std::uint64_t>& seen) const {
        ASSERT_EQ(fabric_.ports().count(), model_.ports.size());
        for (const auto& [number, port] : model_.ports) {
            const PortCounters& counters = fabric_.counters(PortId(number));
            EXPECT_EQ(counters.frames_in, port.frames);
            EXPECT_EQ(counters.not_learned, port.not_learned);
            std::uint64_t dropped = 0;
            for (const std::uint64_t count : counters.dropped)
                dropped += count;
            EXPECT_EQ(counters.frames_in, counters.forwarded + counters.flooded + dropped);
            for (const auto& [reason, count] : port.dropped) {
                EXPECT_EQ(counters[reason], count) << name(reason);
                seen[reason] += count;
            }
        }
    }

private:
    void add() {
        Model::Port port{random_.one_in(2) ? Isolation::isolated : Isolation::open,
                         random_.one_in(3) ? Sources::any : Sources::announced};
        std::vector<MacAddress> macs;
        const std::uint64_t least = port.sources == Sources::announced ? 1 : 0;
        for (std::uint64_t i = random_.between(least, 3); i > 0; --i)
            macs.push_back(station(random_.below(60)));
        const auto added = fabric_.add_port({port.isolation, port.sources, macs}, now_);
        std::erase_if(model_.places, [&](const auto& pair) {
            return !pair.second.fixed && now_ - pair.second.seen >= kAgeing;
        });
        for (const MacAddress& mac : macs) {
            const auto known = model_.places.find(mac);
            if (known != model_.places.end() && known->second.fixed) {
                EXPECT_FALSE(added.has_value());
                return;
            }
        }
        ASSERT_TRUE(added.has_value()) << added.error().text;
        const std::uint32_t number = added->value();
        model_.ports.emplace(number, port);
        for (const MacAddress& mac : macs)
            model_.announce(mac, number);
    }
    void remove() {
        const std::uint32_t number = some_port();
        fabric_.remove_port(PortId(number));
        model_.ports.erase(number);
        std::erase_if(model_.places, [&](const auto& pair) { return pair.second.port == number; });
    }
    void send() {
        const std::uint32_t from = some_port();
        MacAddress source = station(random_.below(60));
        for (const auto& [mac, place] : model_.places) {  // mostly one that may send there
            if (place.port == from && !random_.one_in(4))
                source = mac;
        }
        MacAddress to = station(random_.below(60));
        if (random_.one_in(6))
            to = MacAddress::broadcast();
        else if (random_.one_in(20))
            to = MacAddress({1, 0x80, 0xc2, 0, 0, static_cast<std::uint8_t>(random_.below(32))});
        const Decision expected = model_.decide(from, to, source, now_);
        const Decision decision =
            fabric_.receive(PortId(from), test::make_frame(to, source), now_).decision;
        ASSERT_EQ(decision.kind, expected.kind);
        ASSERT_STREQ(name(decision.reason), name(expected.reason));
        EXPECT_EQ(decision.to, expected.to);
        EXPECT_EQ(decision.ports, expected.ports);
        EXPECT_FALSE(decision.ports[from]);
    }
    std::uint32_t some_port() {
        auto port = model_.ports.begin();
        std::advance(port, static_cast<std::ptrdiff_t>(random_.below(model_.ports.size())));
        return port->first;
    }

    test::Random random_;
    std::uint64_t now_ = 1;
    Model model_;
    LearningSwitch fabric_ = LearningSwitch::make({.table = {.entries = kEntries,
                                                             .entries_per_port = kPerPort,
                                                             .ageing_ns = kAgeing,
                                                             .seed = 5}})
                                 .value();
};

TEST(SwitchModel, DecidesAsTheModelDoes) {
    std::map<DropReason, std::uint64_t> seen;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Pair pair(seed);
        for (int i = 0; i < 2000 && !HasFatalFailure(); ++i)
            pair.step();
        pair.compare(seen);
        ASSERT_FALSE(HasFailure());
    }
    EXPECT_EQ(seen.size(), kDropReasons - 2);  // all but none and malformed
}

}  // namespace
}  // namespace causeway::io::network
