// Registering memory with a live adapter.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>

#include "support/in_process_adapter.hpp"
#include "support/raw_client.hpp"

namespace causeway::adapter {
namespace {

using test::InProcessAdapter;
using test::RawSession;
using test::region_file;
using test::region_request;
using test::register_request;

constexpr std::uint64_t kMiB = 1 << 20;

class Regions : public testing::Test {
protected:
    abi::RegisterReply add(RawSession& owner, std::uint64_t size, int fd) {
        return owner.client.call(register_request(size), fd).value().as<abi::RegisterReply>();
    }
    ErrorCode error_of(RawSession& owner, const abi::RegisterRequest& request, int fd) {
        const auto reply = owner.client.call(request, fd);
        return reply ? reply->code() : ErrorCode::adapter_gone;
    }

    InProcessAdapter adapter;
    RawSession session{adapter.socket(), "orders"};
};

TEST_F(Regions, RegisteringGivesAHandleAndAGeneration) {
    const auto file = region_file(kMiB);
    const auto region = add(session, kMiB, file.get());
    EXPECT_NE(region.handle, 0u);
    EXPECT_NE(region.generation, 0u);
    EXPECT_NE(region.network_id, 0u);
    const auto status = session.client.call(region_request(abi::Request::region_status, region))
                            ->as<abi::RegionStatusReply>();
    EXPECT_EQ(status.size, kMiB);
    EXPECT_EQ(status.append_offset, 0u);
    EXPECT_EQ(status.rights, abi::right::kRemoteWrite);
    EXPECT_EQ(status.network_id, region.network_id);
}

TEST_F(Regions, GenerationsAndHandlesDiffer) {
    std::set<std::uint32_t> handles;
    std::set<std::uint32_t> generations;
    for (int i = 0; i < 50; ++i) {
        const auto file = region_file(4096);
        const auto region = add(session, 4096, file.get());
        handles.insert(region.handle);
        generations.insert(region.generation);
        if (i % 2 == 0) {
            EXPECT_TRUE(
                session.client.call(region_request(abi::Request::deregister_region, region))->ok());
        }
    }
    EXPECT_EQ(handles.size(), 50u);
    EXPECT_EQ(generations.size(), 50u);
}

TEST_F(Regions, RegistersPartByPart) {
    auto request = register_request(abi::kRegionPart + kMiB);
    const auto first = region_file(abi::kRegionPart);
    const auto second = region_file(kMiB);
    const auto waiting = session.client.call(request, first.get()).value().as<abi::RegisterReply>();
    EXPECT_EQ(waiting.handle, 0u);
    request.part = 1;
    const auto done = session.client.call(request, second.get()).value().as<abi::RegisterReply>();
    EXPECT_NE(done.handle, 0u);
}

TEST_F(Regions, PartsMustFollowEachOther) {
    auto request = register_request(abi::kRegionPart + kMiB);
    request.part = 1;
    const auto second = region_file(kMiB);
    EXPECT_EQ(error_of(session, request, second.get()), ErrorCode::invalid_argument);
    // Another size in between ends the registration; its memory is free to be registered again.
    const auto first = region_file(abi::kRegionPart);
    request.part = 0;
    EXPECT_EQ(error_of(session, request, first.get()), ErrorCode::none);
    auto other = request;
    other.size += 4096;
    other.part = 1;
    EXPECT_EQ(error_of(session, other, second.get()), ErrorCode::invalid_argument);
    request.part = 1;
    EXPECT_EQ(error_of(session, request, second.get()), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(session, register_request(abi::kRegionPart), first.get()), ErrorCode::none);
}

TEST_F(Regions, MemoryHasOneOwner) {
    const auto file = region_file(kMiB);
    const auto region = add(session, kMiB, file.get());
    EXPECT_EQ(error_of(session, register_request(kMiB), file.get()), ErrorCode::invalid_argument);
    RawSession other(adapter.socket(), "other");
    EXPECT_EQ(error_of(other, register_request(kMiB), file.get()), ErrorCode::invalid_argument);
    EXPECT_TRUE(session.client.call(region_request(abi::Request::deregister_region, region))->ok());
    EXPECT_EQ(error_of(other, register_request(kMiB), file.get()), ErrorCode::none);
}

TEST_F(Regions, OnlyTheOwnerWithTheGenerationReachesARegion) {
    const auto file = region_file(kMiB);
    const auto region = add(session, kMiB, file.get());
    RawSession other(adapter.socket(), "other");
    for (const auto type : {abi::Request::region_status, abi::Request::deregister_region}) {
        EXPECT_EQ(other.client.call(region_request(type, region))->code(), ErrorCode::not_found);
        auto stale = region;
        stale.generation ^= 1;
        EXPECT_EQ(session.client.call(region_request(type, stale))->code(), ErrorCode::not_found);
        auto elsewhere = region;
        elsewhere.handle += 1;
        EXPECT_EQ(session.client.call(region_request(type, elsewhere))->code(),
                  ErrorCode::not_found);
    }
    EXPECT_TRUE(session.client.call(region_request(abi::Request::deregister_region, region))->ok());
    EXPECT_EQ(session.client.call(region_request(abi::Request::region_status, region))->code(),
              ErrorCode::not_found);
}

TEST_F(Regions, SharesAreLimitedInBytes) {
    const auto file = region_file(kMiB);
    const auto reply = session.client.call(register_request(std::uint64_t{2} << 30), file.get());
    ASSERT_EQ(reply->code(), ErrorCode::limit_reached);
    EXPECT_NE(reply->text().find("1073741824"), std::string::npos) << reply->text();
    EXPECT_NE(reply->text().find("2147483648"), std::string::npos) << reply->text();
}

TEST(RegionLimits, SharesAreLimitedInNumber) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.quota.max_regions = 2; });
    RawSession session(adapter.socket(), "orders");
    std::vector<platform::UniqueFd> files;
    std::vector<abi::RegisterReply> regions;
    for (int i = 0; i < 2; ++i) {
        files.push_back(region_file(4096));
        regions.push_back(session.client.call(register_request(4096), files.back().get())
                              ->as<abi::RegisterReply>());
    }
    const auto third = region_file(4096);
    EXPECT_EQ(session.client.call(register_request(4096), third.get())->code(),
              ErrorCode::limit_reached);
    session.client.call(region_request(abi::Request::deregister_region, regions[0]));
    EXPECT_TRUE(session.client.call(register_request(4096), third.get())->ok());
}

TEST(RegionLimits, MappingsAreLimitedDaemonWide) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.max_mappings = 16; });
    RawSession session(adapter.socket(), "orders");
    std::vector<platform::UniqueFd> files;
    ErrorCode last = ErrorCode::none;
    for (int i = 0; i < 16 && last == ErrorCode::none; ++i) {
        files.push_back(region_file(4096));
        const auto reply = session.client.call(register_request(4096), files.back().get());
        last = reply->code();
        if (!reply->ok()) {
            EXPECT_NE(reply->text().find("max_map_count"), std::string::npos) << reply->text();
        }
    }
    EXPECT_EQ(last, ErrorCode::limit_reached);
}

TEST(RegionLimits, DescriptorsAreLimitedPerPartition) {
    const InProcessAdapter adapter(
        [](ServerOptions& options) { options.fabric.quota.max_files = 3; });
    RawSession session(adapter.socket(), "orders");
    std::vector<platform::UniqueFd> files;
    for (int i = 0; i < 3; ++i) {
        files.push_back(region_file(4096));
        EXPECT_TRUE(session.client.call(register_request(4096), files.back().get())->ok());
    }
    files.push_back(region_file(4096));
    EXPECT_EQ(session.client.call(register_request(4096), files.back().get())->code(),
              ErrorCode::limit_reached);
}

TEST_F(Regions, LeaveNothingBehind) {
    const std::size_t files_before = test::open_files();
    const std::size_t mappings_before = test::shared_mappings();
    {
        RawSession other(adapter.socket(), "other");
        for (int i = 0; i < 20; ++i) {
            const auto file = region_file(kMiB);
            const auto region = add(other, kMiB, file.get());
            if (i % 2 == 0)
                other.client.call(region_request(abi::Request::deregister_region, region));
        }
        // One registration left half way.
        const auto part = region_file(abi::kRegionPart);
        other.client.call(register_request(2 * abi::kRegionPart), part.get());
        EXPECT_GT(test::shared_mappings(), mappings_before);
    }
    EXPECT_TRUE(test::eventually([&] {
        return test::open_files() <= files_before && test::shared_mappings() <= mappings_before;
    })) << test::open_files()
        << " descriptors, " << files_before << " before; " << test::shared_mappings()
        << " mappings, " << mappings_before << " before";
}

}  // namespace
}  // namespace causeway::adapter
