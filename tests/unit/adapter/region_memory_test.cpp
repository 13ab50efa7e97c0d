#include "adapter/region_memory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <future>
#include <optional>
#include <string>

#include "support/raw_client.hpp"
#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

using test::region_file;
using test::register_request;

constexpr std::uint64_t kMiB = 1 << 20;

// What is said about `fd` as the only part of a region of `size` bytes.
std::string refusal(platform::UniqueFd fd, std::uint64_t size) {
    const auto file = check_region_file(register_request(size), fd);
    if (file.has_value())
        return "accepted";
    EXPECT_EQ(file.error().code, ErrorCode::invalid_argument);
    return file.error().text;
}

TEST(RegionMemory, AcceptsASealedFilledMemoryFile) {
    auto fd = region_file(kMiB);
    const auto file = check_region_file(register_request(kMiB), fd);
    ASSERT_TRUE(file.has_value()) << file.error().text;
    EXPECT_FALSE(fd.valid()) << "taken";
    EXPECT_EQ(file->size, kMiB);
    EXPECT_NE(file->key.inode, 0u);
}

TEST(RegionMemory, RefusesFilesThatAreNoSealedMemory) {
    const test::TempDirectory directory;
    platform::UniqueFd ordinary(
        ::open((directory / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::ftruncate(ordinary.get(), kMiB), 0);
    EXPECT_NE(refusal(std::move(ordinary), kMiB), "accepted");

    platform::UniqueFd shared(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (shared) {
        ASSERT_EQ(::posix_fallocate(shared.get(), 0, kMiB), 0);
        EXPECT_NE(refusal(std::move(shared), kMiB).find("SHRINK"), std::string::npos);
    }
    EXPECT_NE(refusal(platform::UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)), kMiB),
              "accepted");
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_NE(refusal(platform::UniqueFd(ends[0]), kMiB), "accepted");
    EXPECT_NE(refusal(platform::UniqueFd(ends[1]), kMiB), "accepted");
    EXPECT_NE(refusal(platform::UniqueFd(), kMiB).find("descriptor"), std::string::npos);
}

TEST(RegionMemory, RefusesTheWrongSeals) {
    EXPECT_NE(refusal(region_file(kMiB, F_SEAL_SHRINK), kMiB).find("GROW"), std::string::npos);
    EXPECT_NE(refusal(region_file(kMiB, F_SEAL_GROW), kMiB).find("SHRINK"), std::string::npos);
    EXPECT_NE(refusal(region_file(kMiB, 0), kMiB).find("SHRINK"), std::string::npos);
    EXPECT_NE(refusal(region_file(kMiB, platform::kSizeSeals | F_SEAL_WRITE), kMiB).find("WRITE"),
              std::string::npos);
    EXPECT_NE(refusal(region_file(kMiB, platform::kSizeSeals | F_SEAL_FUTURE_WRITE), kMiB)
                  .find("FUTURE_WRITE"),
              std::string::npos);
}

TEST(RegionMemory, RefusesTheWrongSizeAndHoles) {
    EXPECT_NE(refusal(region_file(kMiB), 2 * kMiB).find("must have 2097152"), std::string::npos);
    EXPECT_NE(refusal(region_file(2 * kMiB), kMiB).find("must have 1048576"), std::string::npos);
    auto sparse = platform::create_memfd("sparse", kMiB, platform::kSizeSeals).value();
    EXPECT_NE(refusal(std::move(sparse), kMiB).find("fill it"), std::string::npos);
    auto punched = region_file(kMiB);
    ASSERT_EQ(::fallocate(punched.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096),
              0);
    EXPECT_NE(refusal(std::move(punched), kMiB).find("fill it"), std::string::npos);
}

TEST(RegionMemory, RefusesAFileThatIsNotOpenForWriting) {
    const auto file = region_file(kMiB);
    const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    platform::UniqueFd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(reader.valid());
    EXPECT_NE(refusal(std::move(reader), kMiB).find("reading and writing"), std::string::npos);
    platform::UniqueFd name_only(::open(path.c_str(), O_PATH | O_CLOEXEC));
    auto request = register_request(kMiB);
    EXPECT_FALSE(check_region_file(request, name_only).has_value());
}

TEST(RegionMemory, ChecksTheRequest) {
    const auto refused = [](auto change) {
        auto request = register_request(130 * kMiB);  // three parts
        change(request);
        const auto checked = check_register_request(request);
        return checked.has_value() ? std::string() : checked.error().text;
    };
    EXPECT_EQ(refused([](auto&) {}), "");
    EXPECT_EQ(refused([](auto& r) { r.part = 2; }), "");
    EXPECT_EQ(refused([](auto& r) { r.address = UINT64_MAX - r.size; }), "");
    EXPECT_NE(refused([](auto& r) { r.address = UINT64_MAX - r.size + 1; }), "");
    EXPECT_NE(refused([](auto& r) { r.size = 0; }), "");
    EXPECT_NE(refused([](auto& r) { r.size -= 1; }), "");
    EXPECT_NE(refused([](auto& r) { r.size = UINT64_MAX - 4095; }), "");
    EXPECT_NE(refused([](auto& r) { r.size = abi::kMaxRegion + 4096; }), "");
    EXPECT_NE(refused([](auto& r) { r.parts = 2; }), "");
    EXPECT_NE(refused([](auto& r) { r.parts = 0; }), "");
    EXPECT_NE(refused([](auto& r) { r.parts = UINT32_MAX; }), "");
    EXPECT_NE(refused([](auto& r) { r.part = 3; }), "");
    EXPECT_NE(refused([](auto& r) { r.rights = 16; }), "");
    EXPECT_NE(refused([](auto& r) { r.reserved = 1; }), "");
}

TEST(RegionMemory, KnowsTheSizeOfEveryPart) {
    auto request = register_request(130 * kMiB);
    EXPECT_EQ(part_size(request), abi::kRegionPart);
    request.part = 2;
    EXPECT_EQ(part_size(request), 2 * kMiB);
    request = register_request(64 * kMiB);
    EXPECT_EQ(part_size(request), 64 * kMiB);
}

TEST(RegionMemory, MapsPartsSideBySide) {
    std::vector<RegionFile> files;
    for (const char mark : {'x', 'y'}) {
        auto fd = region_file(4 * kMiB);
        ASSERT_EQ(::pwrite(fd.get(), &mark, 1, 0), 1);
        RegionFile file;
        file.fd = std::move(fd);
        file.size = 4 * kMiB;
        file.page = 4096;
        files.push_back(std::move(file));
    }
    std::optional<Result<RegionMemory>> result;
    auto job = map_region(std::move(files),
                          [&](Result<RegionMemory> memory) { result = std::move(memory); });
    EXPECT_EQ(job(), Worker::Progress::more) << "one part per step";
    EXPECT_FALSE(result.has_value());
    EXPECT_EQ(job(), Worker::Progress::finished);
    ASSERT_TRUE(result.has_value() && result->has_value());
    const RegionMemory& memory = **result;
    EXPECT_EQ(memory.mapping.size(), 8 * kMiB);
    EXPECT_EQ(memory.mapping.data()[0], std::byte('x'));
    EXPECT_EQ(memory.mapping.data()[4 * kMiB], std::byte('y'));
}

TEST(RegionMemory, NoticesAHole) {
    auto fd = region_file(kMiB);
    const int raw = fd.get();
    const auto file = check_region_file(register_request(kMiB), fd).value();
    EXPECT_TRUE(still_filled(file));
    ASSERT_EQ(::fallocate(raw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    EXPECT_FALSE(still_filled(file));
}

}  // namespace
}  // namespace causeway::adapter
