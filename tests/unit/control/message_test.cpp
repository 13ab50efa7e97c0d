#include "control/message.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/names.hpp"

namespace causeway::control {
namespace {

using Bytes = std::vector<std::byte>;

template<typename T>
Bytes copy_of(const T& message) {
    const auto bytes = bytes_of(message);
    return Bytes(bytes.begin(), bytes.end());
}

void set_size(Bytes& bytes, std::size_t size) {
    bytes.resize(size);
    const auto field = static_cast<std::uint32_t>(size);
    std::memcpy(bytes.data(), &field, sizeof field);
}

abi::RegisterRequest sample() {
    auto request = make<abi::RegisterRequest>(abi::Request::register_region, 9);
    request.size = 0x1122334455667788;
    request.rights = 3;
    request.reserved = 0xdeadbeef;
    return request;
}

TEST(Message, ARoundTripKeepsEveryByte) {
    const abi::RegisterRequest request = sample();
    EXPECT_EQ(request.header.size, sizeof request);
    EXPECT_EQ(request.header.type, 5u);
    EXPECT_EQ(request.header.sequence, 9u);
    const auto parsed = parse<abi::RegisterRequest>(bytes_of(request));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(std::memcmp(&*parsed, &request, sizeof request), 0);
}

TEST(Message, WhatIsMissingAtTheEndIsZero) {
    Bytes bytes = copy_of(sample());
    set_size(bytes, 28);  // up to the middle of a field
    const auto parsed = parse<abi::RegisterRequest>(bytes);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
    EXPECT_EQ(parsed->size, 0x1122334455667788u);
    EXPECT_EQ(parsed->rights, 0u);
    EXPECT_EQ(parsed->reserved, 0u);
    set_size(bytes, sizeof(abi::Header));
    EXPECT_TRUE(parse<abi::RegisterRequest>(bytes).has_value());
}

TEST(Message, ALongerOneIsTakenOnlyIfTheTailIsZero) {
    Bytes bytes = copy_of(sample());
    set_size(bytes, sizeof(abi::RegisterRequest) + 40);
    EXPECT_TRUE(parse<abi::RegisterRequest>(bytes).has_value());
    for (std::size_t at = sizeof(abi::RegisterRequest); at < bytes.size(); ++at) {
        bytes[at] = std::byte{1};
        const auto parsed = parse<abi::RegisterRequest>(bytes);
        ASSERT_FALSE(parsed.has_value()) << at;
        EXPECT_EQ(parsed.error().code, ErrorCode::protocol);
        bytes[at] = std::byte{0};
    }
}

TEST(Message, RefusesABadHeader) {
    const Bytes good = copy_of(sample());
    const auto refused = [](const Bytes& bytes) {
        const auto parsed = parse<abi::RegisterRequest>(bytes);
        return !parsed.has_value() && parsed.error().code == ErrorCode::protocol;
    };
    for (std::size_t size = 0; size < sizeof(abi::Header); ++size) {
        EXPECT_TRUE(refused(Bytes(good.begin(), good.begin() + static_cast<long>(size)))) << size;
    }
    for (const std::uint32_t wrong :
         {0u, 15u, 16u, 47u, 49u, 4096u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        Bytes bytes = good;
        std::memcpy(bytes.data(), &wrong, sizeof wrong);
        EXPECT_TRUE(refused(bytes)) << wrong;
    }
    for (int bit = 0; bit < 16; ++bit) {
        Bytes bytes = good;
        const auto flags = static_cast<std::uint16_t>(1u << bit);
        std::memcpy(bytes.data() + offsetof(abi::Header, flags), &flags, sizeof flags);
        EXPECT_TRUE(refused(bytes)) << bit;
    }
}

// Deterministic: every single bit of a message is flipped; parsing must survive each, and accept
// only flips outside size and flags.
TEST(Message, EveryFlippedBitIsSurvived) {
    const Bytes good = copy_of(sample());
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes bytes = good;
        bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
        const bool structural = bit / 8 < 4 || (bit / 8 >= 6 && bit / 8 < 8);
        EXPECT_EQ(parse<abi::RegisterRequest>(bytes).has_value(), !structural) << bit;
    }
}

TEST(Message, AnEmptyReplyIsAHeader) {
    const auto request = sample();
    const abi::Header header = reply_header(request.header, sizeof(abi::Header));
    EXPECT_TRUE(parse_empty(bytes_of(header)).has_value());
    Bytes longer = copy_of(header);
    set_size(longer, 24);
    EXPECT_TRUE(parse_empty(longer).has_value());
    longer.back() = std::byte{1};
    EXPECT_FALSE(parse_empty(longer).has_value());
}

TEST(Message, ErrorsTravelWithTheirText) {
    const auto request = sample();
    const abi::ErrorReply reply =
        make_error_reply(request.header, Error{ErrorCode::denied, "not with these rights"});
    EXPECT_EQ(reply.header.type, 5u | abi::kReplyBit);
    EXPECT_EQ(reply.header.sequence, 9u);
    const Error error = parse_error(bytes_of(reply));
    EXPECT_EQ(error.code, ErrorCode::denied);
    EXPECT_EQ(error.text, "not with these rights");
    const auto checked = check_reply(request.header, bytes_of(reply));
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code, ErrorCode::denied);
}

TEST(Message, ALongErrorTextIsCutAtAWholeCharacter) {
    const auto text_of = [](const std::string& text) {
        return parse_error(bytes_of(make_error_reply({}, Error{ErrorCode::system, text}))).text;
    };
    EXPECT_EQ(text_of(std::string(495, 'x')), std::string(495, 'x'));
    EXPECT_EQ(text_of(std::string(496, 'x')), std::string(492, 'x') + "...");
    EXPECT_EQ(text_of(std::string(100'000, 'x')), std::string(492, 'x') + "...");
    for (std::size_t lead = 480; lead <= 495; ++lead) {
        std::string text(lead, 'x');
        while (text.size() < 600)
            text += "\xe2\x82\xac";  // three bytes each
        const std::string cut = text_of(text);
        ASSERT_TRUE(cut.ends_with("..."));
        const std::size_t kept = cut.size() - 3;
        EXPECT_LE(cut.size(), 495u);
        EXPECT_GT(cut.size(), 490u);
        if (kept > lead) {
            EXPECT_EQ((kept - lead) % 3, 0u) << lead;
        }
    }
    // Bytes that are no UTF-8 at all must not send the cut back for ever.
    EXPECT_GT(text_of(std::string(1000, '\x80')).size(), 480u);
    EXPECT_EQ(text_of(std::string("a\0b", 3)), "a?b");
    EXPECT_EQ(text_of(""), "the adapter gave no reason");
}

TEST(Message, AForeignErrorTextIsNotBelieved) {
    abi::ErrorReply reply = make_error_reply({}, Error{ErrorCode::denied, ""});
    std::fill(std::begin(reply.text), std::end(reply.text), 'x');  // no NUL
    EXPECT_EQ(parse_error(bytes_of(reply)).text, std::string(496, 'x'));
    std::strcpy(reply.text, "red\x1b[31m\nalert");
    EXPECT_EQ(parse_error(bytes_of(reply)).text, "red [31m alert");
    for (const std::int32_t number : {-1, 18, 1000, INT32_MIN, INT32_MAX}) {
        reply.header.error = number;
        const Error error = parse_error(bytes_of(reply));
        EXPECT_EQ(error.code, ErrorCode::system);
        EXPECT_NE(error.text.find(std::to_string(number)), std::string::npos);
    }
    reply.header.error = 0;
    EXPECT_EQ(parse_error(bytes_of(reply)).code, ErrorCode::protocol);
    // No text at all, as an older adapter might send it.
    abi::Header bare = reply_header({}, sizeof bare);
    bare.error = static_cast<std::int32_t>(ErrorCode::not_found);
    EXPECT_EQ(parse_error(bytes_of(bare)).code, ErrorCode::not_found);
}

TEST(Message, AnErrorReplyNeverLooksLikeSuccess) {
    EXPECT_NE(make_error_reply({}, Error{ErrorCode::none, "?"}).header.error, 0);
}

TEST(Message, AReplyMustAnswerTheRequest) {
    const auto request = sample();
    auto reply = make_reply<abi::RegisterReply>(request.header);
    EXPECT_TRUE(check_reply(request.header, bytes_of(reply)).has_value());
    reply.header.sequence += 1;
    EXPECT_EQ(check_reply(request.header, bytes_of(reply)).error().code, ErrorCode::protocol);
    reply = make_reply<abi::RegisterReply>(request.header);
    reply.header.type = 5;  // a request
    EXPECT_EQ(check_reply(request.header, bytes_of(reply)).error().code, ErrorCode::protocol);
    reply.header.type = 7 | abi::kReplyBit;
    EXPECT_EQ(check_reply(request.header, bytes_of(reply)).error().code, ErrorCode::protocol);
}

TEST(Message, NamesRequests) {
    EXPECT_STREQ(request_name(1), "attach");
    EXPECT_STREQ(request_name(14), "stats");
    EXPECT_STREQ(request_name(8 | abi::kReplyBit), "create_queue_pair");
    EXPECT_STREQ(request_name(0), "unknown");
    EXPECT_STREQ(request_name(15), "open_direct");
    EXPECT_STREQ(request_name(16), "resolve");
    EXPECT_STREQ(request_name(17), "resume_doorbell");
    EXPECT_STREQ(request_name(21), "narrow_region");
    EXPECT_STREQ(request_name(22), "reload");
    EXPECT_STREQ(request_name(23), "open_segment");
    EXPECT_STREQ(request_name(24), "copy_segment");
    EXPECT_STREQ(request_name(27), "segment_status");
    EXPECT_STREQ(request_name(28), "explain");
    EXPECT_STREQ(request_name(29), "bus");
    EXPECT_STREQ(request_name(30), "unknown");
    EXPECT_STREQ(request_name(0xffff), "unknown");
}

// --- rows

Bytes stats_of(std::uint32_t rows, std::uint32_t row_size, std::size_t bytes) {
    auto reply = make<abi::StatsReply>(abi::Request::stats);
    reply.rows = rows;
    reply.row_size = row_size;
    reply.next = 5;
    Bytes out = copy_of(reply);
    set_size(out, sizeof reply + bytes);
    return out;
}

TEST(MessageRows, ParsesRowsOfItsOwnSize) {
    Bytes bytes = stats_of(2, sizeof(abi::RegionRow), 2 * sizeof(abi::RegionRow));
    abi::RegionRow row{};
    row.network_id = 12;
    row.append_offset = 99;
    std::memcpy(bytes.data() + sizeof(abi::StatsReply) + sizeof row, &row, sizeof row);
    const auto page = parse_rows<abi::RegionRow>(bytes);
    ASSERT_TRUE(page.has_value()) << page.error().text;
    EXPECT_EQ(page->next, 5u);
    ASSERT_EQ(page->rows.size(), 2u);
    EXPECT_EQ(page->rows[0].network_id, 0u);
    EXPECT_EQ(page->rows[1].network_id, 12u);
    EXPECT_EQ(page->rows[1].append_offset, 99u);
}

TEST(MessageRows, TakesShorterAndLongerRows) {
    Bytes shorter = stats_of(2, 68, 2 * 68);
    std::fill(shorter.begin() + sizeof(abi::StatsReply), shorter.end(), std::byte{1});
    const auto old_page = parse_rows<abi::RegionRow>(shorter);
    ASSERT_TRUE(old_page.has_value());
    EXPECT_EQ(old_page->rows[1].network_id, 0x01010101u);
    EXPECT_EQ(old_page->rows[1].handle, 0u) << "not sent: zero";
    const auto new_page = parse_rows<abi::RegionRow>(stats_of(3, 200, 600));
    ASSERT_TRUE(new_page.has_value());
    EXPECT_EQ(new_page->rows.size(), 3u);
    EXPECT_TRUE(parse_rows<abi::RegionRow>(stats_of(0, 0, 0))->rows.empty());
}

TEST(MessageRows, RefusesCountsThatDoNotAddUp) {
    struct Case {
        std::uint32_t rows, row_size;
        std::size_t bytes;
    };
    for (const Case& bad : {Case{2, 96, 96}, Case{1, 96, 192}, Case{0xffffffff, 0, 0},
                            Case{0xffffffff, 0xffffffff, 64}, Case{0x10000, 0x10000, 0},
                            Case{1, 0, 0}, Case{0, 96, 96}}) {
        const auto page = parse_rows<abi::RegionRow>(stats_of(bad.rows, bad.row_size, bad.bytes));
        ASSERT_FALSE(page.has_value()) << bad.rows << " " << bad.row_size;
        EXPECT_EQ(page.error().code, ErrorCode::protocol);
    }
    EXPECT_FALSE(parse_rows<abi::RegionRow>(Bytes(16)).has_value());
}

Bytes bus_of(std::uint32_t rows, std::uint32_t row_size, std::size_t bytes) {
    auto reply = make<abi::BusReply>(abi::Request::bus);
    reply.rows = rows;
    reply.row_size = row_size;
    reply.next = 0x500000001;
    reply.generation = 77;
    Bytes out = copy_of(reply);
    set_size(out, sizeof reply + bytes);
    return out;
}

TEST(MessageRows, ParsesThoseOfTheBus) {
    Bytes bytes = bus_of(2, sizeof(abi::BusUserRow), 2 * sizeof(abi::BusUserRow));
    abi::BusUserRow row{};
    row.connections = 12;
    std::memcpy(bytes.data() + sizeof(abi::BusReply) + sizeof row, &row, sizeof row);
    const auto page = parse_bus_rows<abi::BusUserRow>(bytes);
    ASSERT_TRUE(page.has_value()) << page.error().text;
    EXPECT_EQ(page->next, 0x500000001u);
    EXPECT_EQ(page->generation, 77u);
    ASSERT_EQ(page->rows.size(), 2u);
    EXPECT_EQ(page->rows[1].connections, 12u);
    EXPECT_TRUE(parse_bus_rows<abi::ControllerRow>(bus_of(0, 0, 0))->rows.empty());
    EXPECT_EQ(parse_bus_rows<abi::ControllerRow>(bus_of(3, 200, 600))->rows.size(), 3u);
    EXPECT_EQ(parse_bus_rows<abi::ControllerRow>(bus_of(2, 152, 152)).error().code,
              ErrorCode::protocol);
    EXPECT_FALSE(parse_bus_rows<abi::ControllerRow>(Bytes(32)).has_value());
}

}  // namespace
}  // namespace causeway::control
