#include "platform/mapping.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "platform/fault_guard.hpp"
#include "platform/memfd.hpp"

namespace causeway::platform {
namespace {

bool readable(const std::byte* where) {
    return guarded([&] { static_cast<void>(*static_cast<const volatile std::byte*>(where)); });
}

class MappingTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(install_fault_guard().has_value()); }
    UniqueFd fd_ = create_memfd("mapping", 16 * kPage, kSizeSeals).value();
};

TEST_F(MappingTest, SharesTheFile) {
    const Mapping first = Mapping::map(fd_.get(), 2 * kPage, kPage).value();
    const Mapping second = Mapping::map(fd_.get(), 16 * kPage).value();
    *first.at<std::uint32_t>(8) = 77;
    EXPECT_EQ(*second.at<std::uint32_t>(kPage + 8), 77u);
}

TEST_F(MappingTest, ReadOnlyMeansIt) {
    const Mapping memory =
        Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_only).value();
    EXPECT_TRUE(readable(memory.data()));
    EXPECT_FALSE(guarded([&] { *static_cast<volatile std::byte*>(memory.data()) = std::byte{1}; }));
}

TEST_F(MappingTest, PlacesFilesSideBySideInAReservation) {
    Mapping range = Mapping::reserve(4 * kPage).value();
    EXPECT_FALSE(readable(range.data()));
    const UniqueFd other = create_memfd("other", kPage, 0).value();
    ASSERT_TRUE(range.place(0, fd_.get(), 0, 2 * kPage).has_value());
    ASSERT_TRUE(range.place(2 * kPage, other.get(), 0, kPage).has_value());
    std::memset(range.data(), 5, 3 * kPage);
    EXPECT_FALSE(readable(range.data() + 3 * kPage)) << "the rest stays reserved";
    const Mapping view = Mapping::map(other.get(), kPage).value();
    EXPECT_EQ(view.data()[kPage - 1], std::byte{5});
}

TEST_F(MappingTest, ReservesWithTheAlignmentAsked) {
    for (const std::size_t alignment : {kPage, kHugePage, std::uint64_t{1} << 30}) {
        const Mapping range = Mapping::reserve(kPage, alignment).value();
        EXPECT_EQ(range.address() % alignment, 0u);
        EXPECT_EQ(range.size(), kPage);
    }
}

TEST_F(MappingTest, TakesAFixedAddressOnlyWhereNothingIs) {
    Mapping range = Mapping::reserve(4 * kPage).value();
    const auto taken = Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_write,
                                    Mapping::Placement::vacant, range.data() + kPage);
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(taken.error().code, ErrorCode::invalid_argument);

    std::byte* const address = range.data();
    range.reset();
    const Mapping there = Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_write,
                                       Mapping::Placement::vacant, address)
                              .value();
    EXPECT_EQ(there.data(), address);
}

TEST_F(MappingTest, ReplacesWhatTheCallerOwns) {
    void* const old =
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(old, MAP_FAILED);
    std::memset(old, 7, kPage);
    const Mapping memory = Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_write,
                                        Mapping::Placement::replace, old)
                               .value();
    EXPECT_EQ(static_cast<void*>(memory.data()), old);
    EXPECT_EQ(memory.data()[0], std::byte{0});
}

TEST_F(MappingTest, RevokeTakesAccessAndKeepsTheAddresses) {
    Mapping memory = Mapping::map(fd_.get(), 4 * kPage).value();
    std::memset(memory.data(), 1, 4 * kPage);
    std::byte* const address = memory.data();
    ASSERT_TRUE(memory.revoke().has_value());
    ASSERT_TRUE(memory.revoke().has_value()) << "again";
    for (std::size_t page = 0; page < 4; ++page)
        EXPECT_FALSE(readable(address + page * kPage));
    EXPECT_FALSE(Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_write,
                              Mapping::Placement::vacant, address)
                     .has_value())
        << "still reserved";
    memory.reset();
    EXPECT_TRUE(Mapping::map(fd_.get(), kPage, 0, Mapping::Protection::read_write,
                             Mapping::Placement::vacant, address)
                    .has_value())
        << "free again";
}

TEST_F(MappingTest, PopulateFillsExactlyTheRange) {
    const UniqueFd fd = create_memfd("fill", 4 * kHugePage, 0).value();
    Mapping memory = Mapping::map(fd.get(), 4 * kHugePage).value();
    memory.data()[kHugePage] = std::byte{42};
    ASSERT_TRUE(memory.populate_write(kPage, 2 * kHugePage).has_value());
    EXPECT_GE(file_facts(fd.get())->allocated, 2 * kHugePage);
    EXPECT_EQ(memory.data()[kHugePage], std::byte{42}) << "what is there stays";
    ASSERT_TRUE(memory.populate_write(0, 0).has_value());
}

TEST_F(MappingTest, PopulateSaysSoWhereThereIsNoMemoryBehind) {
    Mapping memory = Mapping::reserve(4 * kPage).value();
    ASSERT_TRUE(memory.place(0, fd_.get(), 15 * kPage, kPage).has_value());
    // The file ends behind its 16th page: the second page here would be a SIGBUS.
    ASSERT_TRUE(memory.place(0, fd_.get(), 15 * kPage, 2 * kPage).has_value());
    const auto result = memory.populate_write(0, 2 * kPage);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::no_memory);
}

TEST_F(MappingTest, AChildDoesNotSeeWhatIsNotForked) {
    Mapping memory = Mapping::map(fd_.get(), kPage).value();
    const Mapping seen = Mapping::map(fd_.get(), kPage).value();
    ASSERT_TRUE(memory.dont_fork().has_value());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const bool right = !readable(memory.data()) && readable(seen.data());
        ::_exit(right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(readable(memory.data())) << "the parent is undisturbed";
}

TEST_F(MappingTest, MovesAndReleases) {
    Mapping first = Mapping::map(fd_.get(), kPage).value();
    std::byte* const address = first.data();
    Mapping second = std::move(first);
    EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_EQ(second.data(), address);
    second = Mapping::map(fd_.get(), 2 * kPage).value();
    EXPECT_EQ(second.size(), 2 * kPage);
    std::byte* const released = second.release();
    EXPECT_FALSE(second.valid());
    EXPECT_TRUE(readable(released));
    EXPECT_EQ(::munmap(released, 2 * kPage), 0);
}

TEST_F(MappingTest, ContainsKnowsItsBounds) {
    const Mapping memory = Mapping::map(fd_.get(), 2 * kPage).value();
    EXPECT_TRUE(memory.contains(memory.address()));
    EXPECT_TRUE(memory.contains(memory.address() + 2 * kPage - 1));
    EXPECT_FALSE(memory.contains(memory.address() + 2 * kPage));
    EXPECT_FALSE(memory.contains(memory.address() - 1));
    EXPECT_FALSE(memory.contains(0));
}

TEST_F(MappingTest, RefusesMoreThanTheAddressSpace) {
    const auto result = Mapping::reserve(std::size_t{1} << 60);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::no_memory);
    EXPECT_NE(result.error().text.find("max_map_count"), std::string::npos);
}

}  // namespace
}  // namespace causeway::platform
