// Fuzzes what the fabric's switch does with frames (src/io/network/frame.hpp, switch.hpp): check,
// learn, decide. What the headers promise must hold for every frame and every sequence of them.
//
// Input: records. Each begins with a byte: bits 0-1 are the port, bit 4 set means that the port
// leaves and comes back, with the same address. Then a byte of time (in 1/16 of the ageing), two
// 16-bit numbers (little-endian): zeros to add behind the frame, and bytes of the frame, which
// follow.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "io/network/switch.hpp"

namespace {

using namespace causeway::io::network;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

constexpr std::uint32_t kMtu = 1500;
constexpr std::size_t kUplink = 3;
constexpr std::uint64_t kAgeing = 1600;
constexpr MacTableOptions kTable{
    .entries = 12, .entries_per_port = 8, .ageing_ns = kAgeing, .seed = 1};

MacAddress own(std::size_t port) {
    return MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(port + 1)});
}

// Ports 0 to 2 announce an address each, the last two are isolated; port 3 is the uplink.
class World {
public:
    World() {
        for (std::size_t i = 0; i < ports_.size(); ++i)
            add(i);
    }
    void add(std::size_t i) {
        const MacAddress mac = own(i);
        PortOptions options{.isolation = i == 1 || i == 2 ? Isolation::isolated : Isolation::open};
        if (i == kUplink)
            options.sources = Sources::any;
        else
            options.announced = {&mac, 1};
        const auto port = fabric_.add_port(options, now_);
        require(port.has_value(), "a port cannot come back");
        ports_[i] = *port;
    }
    void leave(std::size_t i) {
        fabric_.remove_port(ports_[i]);
        require(i == kUplink || fabric_.table().find(own(i)) == nullptr, "it left its address");
        add(i);
    }
    void receive(std::size_t i, std::span<const std::byte> frame, std::uint64_t later) {
        now_ += later;
        const auto received = fabric_.receive(ports_[i], frame, now_);
        check(i, frame, received);
        const MacTable& table = fabric_.table();
        require(table.size() <= kTable.entries, "too many entries");
        for (std::size_t port = 0; port < kUplink; ++port) {
            const auto* entry = table.find(own(port));
            require(entry != nullptr && entry->port == ports_[port], "an address was stolen");
            require(table.size(ports_[port]) == 1, "a host's port has learned");
        }
        require(table.size(ports_[kUplink]) <= kTable.entries_per_port, "more than its share");
        const PortCounters& counters = fabric_.counters(ports_[i]);
        std::uint64_t sum = counters.forwarded + counters.flooded;
        for (const std::uint64_t dropped : counters.dropped)
            sum += dropped;
        require(sum == counters.frames_in, "a frame is not accounted for");
    }

private:
    void check_good(std::span<const std::byte> frame, const FrameFacts& facts) const {
        const VnetHeader& header = facts.header;
        require(frame.size() >= kMinFrame && frame.size() <= kMaxFrame, "good, of a bad size");
        require(facts.length == frame.size() - 12, "good, of another length");
        require(std::memcmp(facts.head().data(), frame.data(), 10) == 0 &&
                    std::memcmp(facts.head().data() + 12, frame.data() + 12, 14) == 0,
                "good, with another head");
        require(!facts.source.is_multicast() && !facts.source.is_zero(), "good, from nobody");
        require(header.hdr_len <= facts.length, "good, with headers over its end");
        if ((header.flags & kNeedsChecksum) != 0) {
            require(header.csum_start >= 34 &&
                        header.csum_start + header.csum_offset + 2U <= facts.length,
                    "good, with its checksum elsewhere");
        }
        if (!facts.segmented()) {
            require(header.gso_size == 0 && facts.length <= kMtu + 18, "good, over the MTU");
            return;
        }
        require((header.flags & kNeedsChecksum) != 0, "cut without a checksum");
        require(header.gso_size > 0, "cut into nothing");
        require(facts.length / header.gso_size <= 65553 / 8, "cut into too many");
        require(std::min<std::size_t>(header.csum_start + 8U + header.gso_size, facts.length) <=
                    kMtu + 18,
                "cut over the MTU");
    }
    void check(std::size_t i, std::span<const std::byte> frame,
               const LearningSwitch::Received& received) const {
        const Decision& decision = received.decision;
        const FrameFacts& facts = received.frame.facts;
        if (received.frame.verdict == FrameVerdict::good)
            check_good(frame, facts);
        else
            require(decision.reason == DropReason::malformed, "a bad frame goes on");
        require((decision.kind == Decision::Kind::drop) == decision.ports.none(), "to whom?");
        require((decision.kind == Decision::Kind::drop) == (decision.reason != DropReason::none),
                "why?");
        if (decision.kind == Decision::Kind::drop)
            return;
        require(!decision.ports[ports_[i].value()], "it goes back");
        require((decision.ports & ~fabric_.ports()).none(), "to a port that is not there");
        if (i == 1 || i == 2)
            require(!decision.ports[ports_[3 - i].value()], "from isolated to isolated");
        require(i == kUplink
                    ? std::none_of(ports_.begin(), ports_.begin() + kUplink,
                                   [&](PortId port) { return facts.source == own(port.value()); })
                    : facts.source == own(i),
                "from an address that is another's");
        if (decision.kind == Decision::Kind::forward) {
            require(decision.ports.count() == 1 && decision.ports[decision.to.value()], "where?");
            require(decision.to == ports_[kUplink] || facts.destination == own(decision.to.value()),
                    "to another host");
        }
    }

    LearningSwitch fabric_ = LearningSwitch::make({.mtu = kMtu, .table = kTable}).value();
    std::array<PortId, 4> ports_{};  // numbered as here: the lowest free number is taken
    std::uint64_t now_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    std::vector<std::byte> frame;
    std::span<const std::uint8_t> left(data, size);
    std::size_t most = 64 * 1024;  // of padding, so that an input takes its time only once
    while (left.size() >= 6) {
        const std::size_t port = left[0] & 3;
        if ((left[0] & 16) != 0)
            world.leave(port);
        const std::uint64_t later = left[1] * kAgeing / 16;
        const std::size_t padding =
            std::min<std::size_t>(left[2] | static_cast<std::size_t>(left[3]) << 8, most);
        const std::size_t length = std::min<std::size_t>(
            left[4] | static_cast<std::size_t>(left[5]) << 8, left.size() - 6);
        most -= padding;
        // Of exactly its size, so that AddressSanitizer sees a read past the end.
        frame = std::vector<std::byte>(length + padding);
        if (length != 0)
            std::memcpy(frame.data(), left.data() + 6, length);
        left = left.subspan(6 + length);
        world.receive(port, frame, later);
    }
    return 0;
}
