// Named segments with a live adapter: who gets what, the bounds of copies, and what a change of the
// configuration does. Test and adapter have one uid here: readers get copies.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "platform/mapping.hpp"
#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"
#include "support/segments.hpp"

namespace causeway::adapter {
namespace {

using abi::SegmentAccess;
using abi::SegmentManner;
using test::open_segment_request;
using test::RawReply;
using test::RawSession;
using test::segment;
using test::segment_request;

constexpr std::uint64_t kMiB = 1 << 20;

class Segments : public testing::Test {
protected:
    RawReply open(RawSession& session, const std::string& name, SegmentAccess access) {
        return std::move(session.client.call(open_segment_request(name, access)).value());
    }
    // A region of `session` that begins at 0x10000.
    abi::RegisterReply add_region(RawSession& session, const platform::UniqueFd& file) {
        return session.client.call(test::register_request(kMiB), file.get())
            .value()
            .as<abi::RegisterReply>();
    }
    static abi::CopySegmentRequest copy_request(std::uint32_t opening,
                                                const abi::RegisterReply& region) {
        auto request = control::make<abi::CopySegmentRequest>(abi::Request::copy_segment, 13);
        request.segment = opening;
        request.length = 4096;
        request.handle = region.handle;
        request.generation = region.generation;
        request.address = 0x10000;
        return request;
    }
    std::vector<abi::SegmentRow> rows(RawSession& session) {
        const auto reply =
            session.client.call(test::stats_request(abi::StatsKind::segments)).value();
        EXPECT_TRUE(reply.ok()) << reply.text();
        return control::parse_rows<abi::SegmentRow>(reply.bytes).value().rows;
    }
    Result<void> set(std::vector<config::Segment> segments) {
        Result<void> outcome;
        adapter.on_control([&](Fabric& fabric) { outcome = fabric.set_segments(segments); });
        return outcome;
    }

    std::vector<config::Segment> configured{
        segment("ledger", 2 * kMiB, {"a", "read*"}, {"b", "writer"}),
        segment("small", 4096, {}, {"writer"}),
    };
    test::InProcessAdapter adapter{
        [this](ServerOptions& options) { options.fabric.segments = configured; }};
    RawSession writer{adapter.socket(), "writer"};
    RawSession reader{adapter.socket(), "reader"};
};

TEST_F(Segments, WriterGetsTheMemorySealedAndTheAdaptersAlone) {
    const auto opened = open(writer, "ledger", SegmentAccess::write);
    const auto terms = opened.as<abi::OpenSegmentReply>();
    EXPECT_NE(terms.segment, 0u);
    EXPECT_EQ(terms.size, 2 * kMiB);
    EXPECT_EQ(terms.manner, static_cast<std::uint32_t>(SegmentManner::descriptor));
    ASSERT_TRUE(opened.descriptor);
    const auto facts = platform::file_facts(opened.descriptor.get()).value();
    EXPECT_EQ(facts.mode & 07777, 0600u);
    EXPECT_EQ(facts.uid, ::geteuid());
    EXPECT_EQ(facts.size, 2 * kMiB);
    EXPECT_GE(facts.allocated, 2 * kMiB) << "filled beforehand";
    EXPECT_EQ(::ftruncate(opened.descriptor.get(), 4096), -1);
    EXPECT_EQ(::ftruncate(opened.descriptor.get(), 4 * kMiB), -1);
    EXPECT_EQ(::fcntl(opened.descriptor.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
}

TEST_F(Segments, ReaderOfTheAdaptersUidGetsCopiesOnly) {
    const auto written = open(writer, "ledger", SegmentAccess::write);
    const auto memory = platform::Mapping::map(written.descriptor.get(), 2 * kMiB).value();
    std::memcpy(memory.data() + kMiB, "hello", 5);
    const auto opened = open(reader, "ledger", SegmentAccess::read);
    const auto terms = opened.as<abi::OpenSegmentReply>();
    EXPECT_EQ(terms.manner, static_cast<std::uint32_t>(SegmentManner::copies));
    EXPECT_FALSE(opened.descriptor);
    const auto file = test::region_file(kMiB);
    auto request = copy_request(terms.segment, add_region(reader, file));
    request.offset = kMiB;
    request.address += 64;
    const auto copied = reader.client.call(request).value();
    EXPECT_TRUE(copied.ok()) << copied.text();
    const auto region = platform::Mapping::map(file.get(), kMiB).value();
    EXPECT_EQ(std::memcmp(region.data() + 64, "hello", 5), 0);
    // Who may write is not kept from reading.
    const auto both = open(writer, "ledger", SegmentAccess::read);
    ASSERT_TRUE(both.descriptor);
    EXPECT_EQ(::fcntl(both.descriptor.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(Segments, DenialsNameTheReasonAndWhatToDo) {
    RawSession stranger(adapter.socket(), "stranger");
    auto reply = open(stranger, "ledger", SegmentAccess::read);
    EXPECT_EQ(reply.code(), ErrorCode::denied);
    EXPECT_EQ(
        reply.text(),
        "segment 'ledger': no rule: partition 'stranger' is neither among its readers nor its "
        "writers: add it there in [segment.ledger]");
    reply = open(reader, "ledger", SegmentAccess::write);
    EXPECT_EQ(reply.code(), ErrorCode::denied);
    EXPECT_EQ(reply.text(),
              "segment 'ledger': partition 'reader' is among its readers only: open it to read, or "
              "add 'reader' to the writers of [segment.ledger]");
    EXPECT_EQ(open(reader, "nothing", SegmentAccess::read).code(), ErrorCode::not_found);
    EXPECT_EQ(open(reader, "ledger", static_cast<SegmentAccess>(3)).code(),
              ErrorCode::invalid_argument);
    auto request = open_segment_request("ledger", SegmentAccess::read);
    request.reserved = 1;
    EXPECT_EQ(reader.client.call(request)->code(), ErrorCode::invalid_argument);
    std::memset(request.name, 'x', sizeof request.name);
    request.reserved = 0;
    EXPECT_FALSE(reader.client.call(request)->ok());
}

TEST_F(Segments, CopiesStayInsideBoth) {
    const std::uint32_t opening =
        open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().segment;
    const auto file = test::region_file(kMiB);
    const auto foreign_file = test::region_file(kMiB);
    const auto region = add_region(reader, file);
    const auto foreign = add_region(writer, foreign_file);
    const auto good = copy_request(opening, region);
    ASSERT_TRUE(reader.client.call(good)->ok());

    using Change = void (*)(abi::CopySegmentRequest&, const abi::RegisterReply&);
    const std::pair<Change, ErrorCode> cases[] = {
        {[](auto& r, auto&) { r.offset = 2 * kMiB; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.offset = 2 * kMiB - 4095; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.offset = UINT64_MAX; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.offset = UINT64_MAX - 4095; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.length = 0; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.length = kMiB + 1; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.length = UINT32_MAX; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.address = 0x10000 + kMiB; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.address = 0x10000 + kMiB - 4095; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.address = 0xffff; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.address = 0; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { r.address = UINT64_MAX; }, ErrorCode::invalid_argument},
        {[](auto& r, auto&) { ++r.generation; }, ErrorCode::not_found},
        {[](auto& r, auto&) { r.handle = 0; }, ErrorCode::not_found},
        {[](auto& r, auto& other) {
             r.handle = other.handle;
             r.generation = other.generation;
         },
         ErrorCode::not_found},
        {[](auto& r, auto&) { ++r.segment; }, ErrorCode::not_found},
        {[](auto& r, auto&) { r.segment = 0; }, ErrorCode::not_found},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        auto bad = good;
        cases[i].first(bad, foreign);
        EXPECT_EQ(reader.client.call(bad)->code(), cases[i].second) << "case " << i;
    }
    EXPECT_TRUE(reader.client.call(good)->ok()) << "and it goes on";
    // The opening of one is no other's.
    EXPECT_EQ(writer.client.call(copy_request(opening, foreign))->code(), ErrorCode::not_found);
}

TEST_F(Segments, ClosedIsClosed) {
    const std::uint32_t opening =
        open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().segment;
    EXPECT_EQ(rows(reader).at(0).open, 1u);
    EXPECT_TRUE(reader.client.call(segment_request(abi::Request::segment_status, opening))->ok());
    EXPECT_TRUE(reader.client.call(segment_request(abi::Request::close_segment, opening))->ok());
    EXPECT_EQ(reader.client.call(segment_request(abi::Request::close_segment, opening))->code(),
              ErrorCode::not_found);
    EXPECT_EQ(reader.client.call(segment_request(abi::Request::segment_status, opening))->code(),
              ErrorCode::not_found);
    EXPECT_EQ(rows(reader).at(0).open, 0u);
}

TEST_F(Segments, OpeningsAreLimited) {
    std::size_t opened = 0;
    while (opened < 100'000 && open(reader, "ledger", SegmentAccess::read).ok())
        ++opened;
    EXPECT_EQ(opened, kMostOpenings);
    EXPECT_EQ(open(reader, "ledger", SegmentAccess::read).code(), ErrorCode::limit_reached);
    EXPECT_EQ(rows(reader).at(0).open, 1u) << "one partition";
    EXPECT_TRUE(open(writer, "ledger", SegmentAccess::write).ok()) << "others do not notice";
}

TEST_F(Segments, AreListedForWhoMayOpenThem) {
    (void)open(writer, "ledger", SegmentAccess::write);
    (void)open(reader, "ledger", SegmentAccess::read);
    const auto all = rows(writer);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_STREQ(all[0].name, "ledger");
    EXPECT_STREQ(all[0].readers, "a, read*");
    EXPECT_STREQ(all[0].writers, "b, writer");
    EXPECT_EQ(all[0].size, 2 * kMiB);
    EXPECT_EQ(all[0].open, 2u);
    EXPECT_EQ(all[0].copies, 1u);
    EXPECT_EQ(all[0].state, static_cast<std::uint32_t>(abi::SegmentState::ready));
    EXPECT_STREQ(all[1].readers, "");
    auto named = RawSession::observer(adapter.socket("a"));
    const auto seen = rows(named);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_STREQ(seen[0].name, "ledger");
    // Who has gone has it open no more.
    writer.client.close();
    EXPECT_TRUE(test::eventually([&] { return rows(reader).at(0).open == 1; }));
}

TEST_F(Segments, LiveWithNobodyAttached) {
    {
        const auto opened = open(writer, "ledger", SegmentAccess::write);
        auto memory = platform::Mapping::map(opened.descriptor.get(), 2 * kMiB).value();
        std::memcpy(memory.data(), "stays", 5);
    }
    writer.client.close();
    ASSERT_TRUE(test::eventually([&] { return rows(reader).at(0).open == 0; }));
    RawSession next(adapter.socket("b"), "b");
    const auto opened = open(next, "ledger", SegmentAccess::write);
    const auto memory = platform::Mapping::map(opened.descriptor.get(), 2 * kMiB).value();
    EXPECT_EQ(std::memcmp(memory.data(), "stays", 5), 0);
}

TEST_F(Segments, RemovingEndsOpeningsAndLeavesOthersAlone) {
    const auto opened = open(writer, "ledger", SegmentAccess::write);
    const auto terms = opened.as<abi::OpenSegmentReply>();
    auto memory = platform::Mapping::map(opened.descriptor.get(), 2 * kMiB).value();
    const std::uint32_t small =
        open(writer, "small", SegmentAccess::write).as<abi::OpenSegmentReply>().segment;
    const std::uint32_t copied =
        open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().segment;
    const auto file = test::region_file(kMiB);
    const auto region = add_region(reader, file);
    ASSERT_TRUE(set({configured[1]}).has_value());
    const auto refused = reader.client.call(copy_request(copied, region)).value();
    EXPECT_EQ(refused.code(), ErrorCode::denied);
    EXPECT_NE(refused.text().find("taken out of the configuration"), std::string::npos);
    EXPECT_EQ(
        writer.client.call(segment_request(abi::Request::segment_status, terms.segment))->code(),
        ErrorCode::denied);
    EXPECT_TRUE(writer.client.call(segment_request(abi::Request::segment_status, small))->ok());
    EXPECT_EQ(open(writer, "ledger", SegmentAccess::write).code(), ErrorCode::not_found);
    std::memcpy(memory.data(), "own", 3);  // what is mapped stays the partition's
    // The next one of that name is another.
    ASSERT_TRUE(set(configured).has_value());
    const auto again = open(writer, "ledger", SegmentAccess::write);
    const auto fresh = platform::Mapping::map(again.descriptor.get(), 2 * kMiB).value();
    EXPECT_EQ(fresh.data()[0], std::byte{0});
    EXPECT_TRUE(
        writer.client.call(segment_request(abi::Request::close_segment, terms.segment))->ok());
}

TEST_F(Segments, ChangedSizeIsRefusedWhileOpenAndRemadeOtherwise) {
    const std::uint32_t opening =
        open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().segment;
    auto larger = configured;
    larger[0].size = 4 * kMiB;
    larger[1].writers = {"nobody"};
    const auto refused = set(larger);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
    EXPECT_NE(refused.error().text.find("'ledger'"), std::string::npos) << refused.error().text;
    EXPECT_TRUE(open(writer, "small", SegmentAccess::write).ok()) << "nothing has changed";
    ASSERT_TRUE(reader.client.call(segment_request(abi::Request::close_segment, opening))->ok());
    ASSERT_TRUE(set(larger).has_value());
    EXPECT_EQ(open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().size,
              4 * kMiB);
}

TEST_F(Segments, ChangedRightsTakeEffectAtOnce) {
    const std::uint32_t kept =
        open(writer, "ledger", SegmentAccess::write).as<abi::OpenSegmentReply>().segment;
    const std::uint32_t lost =
        open(reader, "ledger", SegmentAccess::read).as<abi::OpenSegmentReply>().segment;
    auto narrower = configured;
    narrower[0].readers = {"a"};
    ASSERT_TRUE(set(narrower).has_value());
    EXPECT_TRUE(writer.client.call(segment_request(abi::Request::segment_status, kept))->ok());
    const auto status =
        reader.client.call(segment_request(abi::Request::segment_status, lost)).value();
    EXPECT_EQ(status.code(), ErrorCode::denied);
    EXPECT_NE(status.text().find("no rule"), std::string::npos);
    EXPECT_EQ(open(reader, "ledger", SegmentAccess::read).code(), ErrorCode::denied);
}

TEST_F(Segments, UnsoundConfigurationsAreRefusedWhole) {
    const std::vector<std::vector<config::Segment>> bad = {
        {segment("x", 0, {}, {})},
        {segment("x", 4097, {}, {})},
        {segment("x", abi::kMaxRegion + 4096, {}, {})},
        {segment("a/b", 4096, {}, {})},
        {segment("x", 4096, {}, {}), segment("x", 4096, {}, {})},
    };
    for (const auto& segments : bad) {
        const auto refused = set(segments);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(refused.error().text.find(segments[0].name), std::string::npos);
    }
    EXPECT_EQ(rows(reader).size(), 2u) << "the old ones stay";
}

}  // namespace
}  // namespace causeway::adapter
