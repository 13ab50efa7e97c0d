#include "io/network/frame.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "support/frames.hpp"
#include "support/random.hpp"

namespace causeway::io::network {
namespace {

using test::Frame;
using test::make_frame;
using test::make_tcp4;
using test::station;

FrameVerdict verdict(const Frame& frame, std::uint32_t mtu = 1500) {
    return check_frame(frame, mtu).verdict;
}

// A TCP segment whose header was changed by `change`.
template<typename Change>
FrameVerdict changed(Change change, std::size_t ethernet = 60000, std::uint32_t mtu = 1500) {
    Frame frame = make_tcp4(station(1), station(2), ethernet);
    VnetHeader header = test::tcp4_header(1448);
    change(header);
    test::put_header(frame, header);
    return verdict(frame, mtu);
}

// A frame without segmentation whose header was changed.
template<typename Change>
FrameVerdict plain(Change change, std::size_t ethernet = 100) {
    Frame frame = make_frame(station(1), station(2), ethernet);
    VnetHeader header;
    change(header);
    test::put_header(frame, header);
    return verdict(frame);
}

TEST(CheckFrame, FactsAreWhatTheFrameSays) {
    Frame frame = make_tcp4(station(0x77), station(0x42), 40000);
    const CheckedFrame checked = check_frame(frame, 1500);
    ASSERT_EQ(checked.verdict, FrameVerdict::good);
    const FrameFacts& facts = checked.facts;
    EXPECT_EQ(facts.destination, station(0x77));
    EXPECT_EQ(facts.source, station(0x42));
    EXPECT_EQ(facts.ethertype, 0x0800);
    EXPECT_EQ(facts.length, 40000U);
    EXPECT_FALSE(facts.tagged);
    EXPECT_TRUE(facts.segmented());
    EXPECT_EQ(facts.header.gso_size, 1448);
    EXPECT_EQ(facts.header.csum_start, 34);
    EXPECT_EQ(std::memcmp(facts.head().data(), frame.data(), kHeadSize), 0);
}

TEST(CheckFrame, FactsStayWhenTheFrameChanges) {
    Frame frame = make_frame(station(1), station(2));
    const Frame before = frame;
    const CheckedFrame checked = check_frame(frame, 1500);
    std::fill(frame.begin(), frame.end(), std::byte{0xff});
    EXPECT_EQ(checked.facts.source, station(2));
    EXPECT_EQ(std::memcmp(checked.facts.head().data(), before.data(), kHeadSize), 0);
}

TEST(CheckFrame, WhatIsSentOnSaysNoBuffers) {
    Frame frame = make_frame(station(1), station(2));
    test::put_header(frame, {.num_buffers = 1});
    const CheckedFrame checked = check_frame(frame, 1500);
    EXPECT_EQ(checked.verdict, FrameVerdict::good);
    EXPECT_EQ(checked.facts.head()[10], std::byte{0});
    EXPECT_EQ(plain([](VnetHeader& h) { h.num_buffers = 2; }), FrameVerdict::buffers);
    EXPECT_EQ(plain([](VnetHeader& h) { h.num_buffers = 0x100; }), FrameVerdict::buffers);
}

TEST(CheckFrame, LengthHasBothBounds) {
    const Frame longest = make_tcp4(station(1), station(2), kMaxEthernet);
    for (std::size_t size = 0; size < kMinFrame; ++size) {
        EXPECT_EQ(check_frame(std::span(longest).first(size), 1500).verdict,
                  FrameVerdict::too_short);
    }
    EXPECT_EQ(verdict(make_frame(station(1), station(2), kEthernetHeader)), FrameVerdict::good);
    EXPECT_EQ(verdict(longest), FrameVerdict::good);
    EXPECT_EQ(verdict(make_tcp4(station(1), station(2), kMaxEthernet + 1)), FrameVerdict::too_long);
    EXPECT_EQ(kMaxFrame, 12U + 14U + 4U + 65535U);
}

TEST(CheckFrame, WithoutSegmentationTheMtuCounts) {
    for (const std::uint32_t mtu : {kMinMtu, 1500U, 9000U, kMaxMtu}) {
        EXPECT_EQ(verdict(make_frame(station(1), station(2), mtu + 18), mtu), FrameVerdict::good);
        EXPECT_EQ(verdict(make_frame(station(1), station(2), mtu + 19), mtu),
                  FrameVerdict::over_mtu);
    }
}

TEST(CheckFrame, OfSegmentsTheMtuCounts) {
    // 14 Ethernet, 20 IP, 20 TCP: 1464 of payload fill MTU 1500 and a tag.
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 1464; }), FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 1465; }), FrameVerdict::over_mtu);
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 65535; }), FrameVerdict::over_mtu);
    // A frame that is no longer than one segment is not cut.
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 9000; }, 1518), FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 9000; }, 1519), FrameVerdict::over_mtu);
}

TEST(CheckFrame, OnlyTwoFlagsAreKnown) {
    for (unsigned flags = 0; flags < 256; ++flags) {
        const bool known = (flags & ~3U) == 0;
        EXPECT_EQ(plain([&](VnetHeader& h) {
                      h.flags = static_cast<std::uint8_t>(flags);
                      h.csum_start = 34;
                      h.csum_offset = 16;
                  }),
                  known ? FrameVerdict::good : FrameVerdict::flags)
            << flags;
    }
}

TEST(CheckFrame, HeaderLengthIsAHintWithinTheFrame) {
    EXPECT_EQ(changed([](VnetHeader& h) { h.hdr_len = 0; }), FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.hdr_len = 60000; }), FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.hdr_len = 60001; }), FrameVerdict::header_length);
    EXPECT_EQ(plain([](VnetHeader& h) { h.hdr_len = 101; }), FrameVerdict::header_length);
}

TEST(CheckFrame, ChecksumLiesBehindIpAndWithinTheFrame) {
    const auto at = [](std::uint16_t start, std::uint16_t offset) {
        return plain([&](VnetHeader& h) {
            h = {.flags = kNeedsChecksum, .csum_start = start, .csum_offset = offset};
        });
    };
    EXPECT_EQ(at(34, 0), FrameVerdict::good);
    EXPECT_EQ(at(33, 0), FrameVerdict::checksum_start);
    EXPECT_EQ(at(0, 0), FrameVerdict::checksum_start);
    EXPECT_EQ(at(34, 64), FrameVerdict::good);
    EXPECT_EQ(at(34, 65), FrameVerdict::checksum_start);
    EXPECT_EQ(at(98, 0), FrameVerdict::good);
    EXPECT_EQ(at(99, 0), FrameVerdict::checksum_start);
    EXPECT_EQ(at(65535, 65535), FrameVerdict::checksum_start);  // no sum wraps
    EXPECT_EQ(at(65535, 1), FrameVerdict::checksum_start);
    // Without the flag nobody looks at the fields.
    EXPECT_EQ(plain([](VnetHeader& h) { h.csum_start = 1; }), FrameVerdict::good);
}

TEST(CheckFrame, SegmentationIsOneOfThreeKinds) {
    const std::set<unsigned> for_ipv4{kGsoTcp4, kGsoTcp4 | kGsoEcn};
    for (unsigned type = 1; type < 256; ++type) {
        if (type == kGsoUdp)
            continue;
        EXPECT_EQ(changed([&](VnetHeader& h) { h.gso_type = static_cast<std::uint8_t>(type); }),
                  for_ipv4.contains(type) ? FrameVerdict::good : FrameVerdict::gso_type)
            << type;
    }
}

TEST(CheckFrame, TheKindBelongsToTheEthertype) {
    struct Case {
        std::uint8_t gso;
        std::uint16_t start;
        std::uint16_t ethertype;
        FrameVerdict expected;
    };
    for (const Case& c : {
             Case{kGsoTcp4, 34, 0x0800, FrameVerdict::good},
             Case{kGsoTcp4, 54, 0x86dd, FrameVerdict::gso_type},
             Case{kGsoTcp6, 54, 0x86dd, FrameVerdict::good},
             Case{kGsoTcp6 | kGsoEcn, 54, 0x86dd, FrameVerdict::good},
             Case{kGsoTcp6, 53, 0x86dd, FrameVerdict::checksum_start},
             Case{kGsoTcp6, 34, 0x0800, FrameVerdict::gso_type},
             Case{kGsoTcp4, 34, 0x0806, FrameVerdict::gso_type},
         }) {
        Frame frame = make_frame(station(1), station(2), 20000, c.ethertype);
        VnetHeader header = test::tcp4_header(1400);
        header.gso_type = c.gso;
        header.csum_start = c.start;
        test::put_header(frame, header);
        EXPECT_EQ(verdict(frame), c.expected) << int{c.gso} << " on " << c.ethertype;
    }
}

TEST(CheckFrame, DatagramsAreCutIntoNotTooMany) {
    const auto datagrams = [](std::uint16_t type, std::uint16_t start, std::size_t ethernet,
                              std::uint16_t size, std::uint8_t ecn = 0) {
        Frame frame = make_frame(station(1), station(2), ethernet, type);
        test::put_header(frame, {.flags = kNeedsChecksum,
                                 .gso_type = static_cast<std::uint8_t>(kGsoUdp | ecn),
                                 .hdr_len = 42,
                                 .gso_size = size,
                                 .csum_start = start,
                                 .csum_offset = 6});
        return verdict(frame);
    };
    EXPECT_EQ(datagrams(0x0800, 34, 20000, 1000), FrameVerdict::good);
    EXPECT_EQ(datagrams(0x86dd, 54, 20000, 1000), FrameVerdict::good);
    EXPECT_EQ(datagrams(0x86dd, 34, 20000, 1000), FrameVerdict::checksum_start);
    EXPECT_EQ(datagrams(0x0800, 34, 20000, 1000, kGsoEcn), FrameVerdict::gso_type);
    EXPECT_EQ(datagrams(0x0800, 34, 34 + 8 + 128 * 4, 4), FrameVerdict::good);
    EXPECT_EQ(datagrams(0x0800, 34, 34 + 8 + 128 * 4 + 1, 4), FrameVerdict::gso_segments);
}

TEST(CheckFrame, SegmentsHaveASize) {
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 0; }), FrameVerdict::gso_size);
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 7; }), FrameVerdict::gso_size);
    EXPECT_EQ(changed([](VnetHeader& h) { h.gso_size = 8; }), FrameVerdict::good);
    EXPECT_EQ(plain([](VnetHeader& h) { h.gso_size = 1; }), FrameVerdict::gso_size);
}

TEST(CheckFrame, SegmentsNeedTheirChecksum) {
    EXPECT_EQ(changed([](VnetHeader& h) { h.flags = 0; }), FrameVerdict::gso_checksum);
    EXPECT_EQ(changed([](VnetHeader& h) { h.flags = kDataValid; }), FrameVerdict::gso_checksum);
    EXPECT_EQ(changed([](VnetHeader& h) { h.flags = kDataValid | kNeedsChecksum; }),
              FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.csum_offset = 6; }), FrameVerdict::gso_checksum);
}

TEST(CheckFrame, TheWholeTransportHeaderIsThere) {
    EXPECT_EQ(changed([](VnetHeader&) {}, 54), FrameVerdict::good);
    EXPECT_EQ(changed([](VnetHeader& h) { h.hdr_len = 0; }, 53), FrameVerdict::checksum_start);
}

TEST(CheckFrame, LooksBehindOneVlanTag) {
    Frame frame = make_tcp4(station(1), station(2), 20000);
    test::put_number(frame, 24, 0x8100);
    test::put_number(frame, 26, 5);
    test::put_number(frame, 28, 0x0800);
    VnetHeader header = test::tcp4_header(1448);
    header.csum_start = 38;
    test::put_header(frame, header);
    const CheckedFrame checked = check_frame(frame, 1500);
    EXPECT_EQ(checked.verdict, FrameVerdict::good);
    EXPECT_TRUE(checked.facts.tagged);
    EXPECT_EQ(checked.facts.ethertype, 0x0800);

    header.csum_start = 37;
    test::put_header(frame, header);
    EXPECT_EQ(verdict(frame), FrameVerdict::checksum_start);

    test::put_number(frame, 28, 0x8100);  // a second one
    EXPECT_EQ(verdict(frame), FrameVerdict::gso_type);

    // A tag that is not there in full.
    Frame cut = make_frame(station(1), station(2), 17, 0x8100);
    EXPECT_EQ(verdict(cut), FrameVerdict::good);
    EXPECT_EQ(check_frame(cut, 1500).facts.ethertype, 0x8100);
}

TEST(CheckFrame, ASenderIsAStation) {
    EXPECT_EQ(verdict(make_frame(station(1), MacAddress())), FrameVerdict::source_zero);
    EXPECT_EQ(verdict(make_frame(station(1), MacAddress::broadcast())),
              FrameVerdict::source_multicast);
    EXPECT_EQ(verdict(make_frame(station(1), MacAddress({1, 0, 0x5e, 0, 0, 1}))),
              FrameVerdict::source_multicast);
    EXPECT_EQ(verdict(make_frame(MacAddress::broadcast(), station(1))), FrameVerdict::good);
}

TEST(CheckFrame, EveryVerdictHasItsName) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < kFrameVerdicts; ++i)
        names.insert(name(static_cast<FrameVerdict>(i)));
    EXPECT_EQ(names.size(), kFrameVerdicts);
    EXPECT_FALSE(names.contains("unknown"));
    EXPECT_STREQ(name(static_cast<FrameVerdict>(kFrameVerdicts)), "unknown");
}

// Whatever the header says, good means that each promise of frame.hpp holds.
TEST(CheckFrame, GoodIsNeverOutOfBounds) {
    test::Random random(7);
    std::size_t good = 0;
    for (int i = 0; i < 30000; ++i) {
        const std::size_t ethernet = random.pick({14, 40, 60, 200, 400});
        Frame frame = make_tcp4(station(1), station(2), ethernet);
        VnetHeader header = test::tcp4_header(1448);
        const auto small = [&] { return static_cast<std::uint16_t>(random.below(300)); };
        if (random.one_in(2))
            header.csum_start = small();
        if (random.one_in(2))
            header.csum_offset = small();
        if (random.one_in(2))
            header.gso_type = static_cast<std::uint8_t>(random.below(6));
        if (random.one_in(2))
            header.gso_size = small();
        if (random.one_in(2))
            header.hdr_len = small();
        if (random.one_in(2))
            header.flags = static_cast<std::uint8_t>(random.below(4));
        test::put_header(frame, header);
        if (verdict(frame) != FrameVerdict::good)
            continue;
        ++good;
        EXPECT_LE(header.hdr_len, ethernet);
        if ((header.flags & kNeedsChecksum) != 0) {
            EXPECT_LE(header.csum_start + header.csum_offset + 2U, ethernet);
        }
        EXPECT_EQ(header.gso_type != 0, header.gso_size != 0);
        EXPECT_TRUE(header.gso_type == 0 || (header.flags & kNeedsChecksum) != 0);
    }
    EXPECT_GT(good, 500U);
}

}  // namespace
}  // namespace causeway::io::network
