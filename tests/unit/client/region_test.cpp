// Regions: the memory that is made or adopted, what is registered, and what is left afterwards.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numeric>
#include <string>

#include "client_world.hpp"
#include "platform/limits.hpp"
#include "platform/memfd.hpp"
#include "support/own_holdings.hpp"

namespace causeway::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPart = abi::kRegionPart;

class RegionTest : public ClientTest {
protected:
    [[nodiscard]] int adopt(void* at, std::size_t size, Owned<cw_region>& out,
                            std::uint32_t flags = 0) {
        cw_region* raw = nullptr;
        const int error =
            cw_region_adopt(partition.get(), at, size, CW_ACCESS_REMOTE_READ, flags, &raw);
        out.reset(raw);
        return error;
    }
    [[nodiscard]] int allocate_error(std::size_t size, std::uint32_t access = 0,
                                     std::uint32_t flags = 0) {
        cw_region* raw = nullptr;
        const int error = cw_region_allocate(partition.get(), size, access, flags, &raw);
        EXPECT_EQ(raw, nullptr);
        return error;
    }
};

// Private memory, gone with the test.
class Pages {
public:
    explicit Pages(std::size_t size, int protection = PROT_READ | PROT_WRITE,
                   int sharing = MAP_PRIVATE)
        : size_(size),
          data_(static_cast<unsigned char*>(
              ::mmap(nullptr, size, protection, sharing | MAP_ANONYMOUS, -1, 0))) {}
    ~Pages() { ::munmap(data_, size_); }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    [[nodiscard]] unsigned char* data() const { return data_; }

private:
    std::size_t size_;
    unsigned char* data_;
};

// Is the page at `at` mapped in this process?
[[nodiscard]] bool mapped(const void* at) {
    unsigned char present = 0;
    return ::mincore(const_cast<void*>(at), kPage, &present) == 0;
}

TEST_F(RegionTest, RoundsUpToPagesAndIsZero) {
    auto region = allocate(1);
    EXPECT_EQ(cw_region_size(region.get()), kPage);
    const auto* data = static_cast<const unsigned char*>(cw_region_data(region.get()));
    EXPECT_EQ(std::accumulate(data, data + kPage, 0), 0);
    const auto requests = adapter.registered();
    EXPECT_EQ(requests.back().size, kPage);
    EXPECT_EQ(requests.back().parts, 1U);
    EXPECT_EQ(requests.back().address, reinterpret_cast<std::uintptr_t>(data));
}

TEST_F(RegionTest, RegistersLargeOnesPartByPartInOneRange) {
    const std::size_t before = adapter.registered().size();
    auto region = allocate(2 * kPart + 1);
    auto requests = adapter.registered();
    requests.erase(requests.begin(), requests.begin() + static_cast<std::ptrdiff_t>(before));
    ASSERT_EQ(requests.size(), 3U);
    for (std::uint32_t i = 0; i < 3; ++i) {
        EXPECT_EQ(requests[i].part, i);
        EXPECT_EQ(requests[i].parts, 3U);
        EXPECT_EQ(requests[i].size, 2 * kPart + kPage);
    }
    auto* data = static_cast<unsigned char*>(cw_region_data(region.get()));
    for (const std::size_t at :
         {std::size_t{0}, kPart - 1, kPart, 2 * kPart, 2 * kPart + kPage - 1})
        data[at] = static_cast<unsigned char>(at + 1);
    EXPECT_EQ(data[kPart - 1], static_cast<unsigned char>(kPart));
}

TEST_F(RegionTest, RemotePlacesCountFromPointerOrZero) {
    auto region = allocate(8192);
    const cw_remote there = cw_region_remote(region.get(), 100);
    EXPECT_EQ(there.address, reinterpret_cast<std::uintptr_t>(cw_region_data(region.get())) + 100);
    EXPECT_EQ(there.handle, cw_region_handle(region.get()));
    EXPECT_EQ(there.generation, 7U);
    auto based = allocate(8192, CW_ZERO_BASED);
    EXPECT_EQ(cw_region_remote(based.get(), 100).address, 100U);
    EXPECT_EQ(adapter.registered().back().address, 0U);
}

TEST_F(RegionTest, AsksTheAdapterForTheAppendOffset) {
    std::uint64_t offset = 0;
    must(cw_region_append_offset(memory.get(), &offset));
    EXPECT_EQ(offset, 4711U);
}

TEST_F(RegionTest, RefusesBadArguments) {
    EXPECT_EQ(allocate_error(0), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error(SIZE_MAX), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error(SIZE_MAX - 4095), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error((std::size_t{1} << 40) + 1), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error(4096, 16), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error(4096, 0, 4), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(allocate_error(std::size_t{5} << 30), CW_ERROR_LIMIT_REACHED);
    EXPECT_NE(std::string(cw_error_text()).find("4294967296"), std::string::npos)
        << cw_error_text();
}

TEST_F(RegionTest, SaysWhenThereAreNoHugePages) {
    if (platform::free_huge_pages() >= 512)
        GTEST_SKIP() << "this system has huge pages to spare";
    EXPECT_EQ(allocate_error(std::size_t{1} << 30, 0, CW_HUGE_PAGES), CW_ERROR_NO_MEMORY);
    EXPECT_NE(std::string(cw_error_text()).find("nr_hugepages"), std::string::npos)
        << cw_error_text();
}

TEST_F(RegionTest, DeregistersBeforeTheMemoryGoes) {
    auto region = allocate(4096);
    const cw_slice gone{cw_region_data(region.get()), 8, cw_region_handle(region.get())};
    EXPECT_EQ(adapter.count(abi::Request::deregister_region), 0);
    must(cw_region_close(region.release()));
    EXPECT_EQ(adapter.count(abi::Request::deregister_region), 1);
    EXPECT_FALSE(mapped(gone.address));
    Pair pair = connect();
    EXPECT_EQ(cw_post_send(pair.here.get(), &gone, 1, 1, 0, 0), CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(RegionTest, LeavesNothingWhenTheAdapterRefuses) {
    const auto files = platform::open_file_count();
    const std::size_t mappings = countable_mappings();
    adapter.register_error = abi::Error::limit_reached;
    EXPECT_EQ(allocate_error(3 * kPart), CW_ERROR_LIMIT_REACHED);
    EXPECT_EQ(settle(files, platform::open_file_count), files);
    EXPECT_EQ(settle(mappings, countable_mappings), mappings);
}

TEST_F(RegionTest, KeepsNoFileOpenForAllocatedMemory) {
    const auto files = platform::open_file_count();
    auto region = allocate(2 * kPart);
    EXPECT_EQ(settle(files, platform::open_file_count), files);
}

TEST_F(RegionTest, AChildDoesNotInheritTheMemory) {
    auto region = allocate(4096);
    Pages own(2 * kPage);
    Owned<cw_region> adopted;
    must(adopt(own.data(), 2 * kPage, adopted));
    const void* const data = cw_region_data(region.get());
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit((mapped(data) ? 1 : 0) | (mapped(own.data()) ? 2 : 0));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

// ---- adopted memory

TEST_F(RegionTest, AdoptsMemoryWithItsContentAtItsPlace) {
    const std::size_t size = kPart + 3 * kPage;
    Pages own(size);
    for (std::size_t i = 0; i < size; i += 1000)
        own.data()[i] = static_cast<unsigned char>(i / 1000);
    Owned<cw_region> region;
    must(adopt(own.data(), size, region));
    EXPECT_EQ(cw_region_data(region.get()), own.data());
    EXPECT_EQ(cw_region_size(region.get()), size);
    EXPECT_EQ(adapter.registered().back().parts, 2U);
    EXPECT_EQ(adapter.registered().back().rights, CW_ACCESS_REMOTE_READ);
    for (std::size_t i = 0; i < size; i += 1000)
        ASSERT_EQ(own.data()[i], static_cast<unsigned char>(i / 1000)) << i;
    own.data()[kPart] = 77;

    must(cw_region_close(region.release()));
    ASSERT_TRUE(mapped(own.data()));
    EXPECT_EQ(own.data()[kPart], 77);
    for (std::size_t i = 0; i < size; i += 1000)
        ASSERT_EQ(own.data()[i], static_cast<unsigned char>(i / 1000)) << i;
    own.data()[5] = 5;  // usable
    EXPECT_EQ(own.data()[5], 5);
    // And private again: what a child writes is the child's.
    const pid_t child = ::fork();
    if (child == 0) {
        const bool same = own.data()[kPart] == 77 && own.data()[5] == 5;
        own.data()[kPart] = 1;
        ::_exit(same ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(own.data()[kPart], 77);
    // It may be adopted again.
    must(adopt(own.data(), size, region));
    EXPECT_EQ(own.data()[kPart], 77);
}

TEST_F(RegionTest, RefusesMemoryThatCannotBeAdopted) {
    Owned<cw_region> none;
    Pages own(4 * kPage);
    EXPECT_EQ(adopt(own.data() + 1, kPage, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(adopt(own.data(), kPage + 1, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(adopt(own.data(), 0, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(adopt(nullptr, kPage, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(adopt(own.data(), kPage, none, CW_HUGE_PAGES), CW_ERROR_UNSUPPORTED);
    Pages shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_EQ(adopt(shared.data(), kPage, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("shared"), std::string::npos);
    Pages constant(kPage, PROT_READ);
    EXPECT_EQ(adopt(constant.data(), kPage, none), CW_ERROR_INVALID_ARGUMENT);
    ::munmap(own.data() + 2 * kPage, kPage);
    EXPECT_EQ(adopt(own.data(), 4 * kPage, none), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(cw_error_text()).find("not mapped"), std::string::npos);
    EXPECT_EQ(adopt(cw_region_data(memory.get()), kPage, none), CW_ERROR_INVALID_ARGUMENT);
    auto* const top = reinterpret_cast<void*>(UINTPTR_MAX - kPage + 1);  // NOLINT
    EXPECT_EQ(adopt(top, 2 * kPage, none), CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(RegionTest, GivesTheMemoryBackWhenTheAdapterRefuses) {
    const std::size_t size = kPart + kPage;
    Pages own(size);
    own.data()[0] = 1;
    own.data()[size - 1] = 2;
    adapter.register_error = abi::Error::denied;
    Owned<cw_region> none;
    const auto files = platform::open_file_count();
    EXPECT_EQ(adopt(own.data(), size, none), CW_ERROR_DENIED);
    EXPECT_EQ(settle(files, platform::open_file_count), files);
    ASSERT_TRUE(mapped(own.data()));
    EXPECT_EQ(own.data()[0], 1);
    EXPECT_EQ(own.data()[size - 1], 2);
    own.data()[kPart] = 3;
    EXPECT_EQ(own.data()[kPart], 3);
}

TEST_F(RegionTest, OutlivesItsPartition) {
    auto region = allocate(4096);
    auto* data = static_cast<char*>(cw_region_data(region.get()));
    partition.reset();
    data[0] = 'x';  // the program may still hold the pointer
    EXPECT_EQ(data[0], 'x');
    EXPECT_EQ(cw_region_close(region.release()), CW_OK);
    EXPECT_EQ(adapter.count(abi::Request::deregister_region), 0);
}

}  // namespace
}  // namespace causeway::test
