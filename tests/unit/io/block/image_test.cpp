#include "io/block/unit/image.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "io/block/unit/device.hpp"
#include "support/served_disk.hpp"
#include "support/temp_directory.hpp"

namespace causeway::io::block {
namespace {

using test::ImageFile;
using test::TempDirectory;
using testing::HasSubstr;

constexpr std::uint64_t kBytes = 1 << 20;

TEST(Image, SaysWhyItCannotBeOpened) {
    const TempDirectory directory;
    const auto why = [](const std::string& path, Writing writing = Writing::allowed) {
        const auto image = Image::open({.path = path, .writing = writing, .lock_wait_ns = 0});
        return image.has_value() ? Error{} : image.error();
    };
    EXPECT_EQ(why(directory / "none").code, ErrorCode::not_found);
    EXPECT_THAT(why(directory.path(), Writing::never).text, HasSubstr("neither a file"));
    EXPECT_THAT(why("/dev/null", Writing::never).text, HasSubstr("neither a file"));
    const ImageFile empty(0);
    EXPECT_THAT(why(empty.path()).text, HasSubstr("0 bytes"));
}

TEST(Image, OneServesItForWritingOrAnyForReading) {
    const ImageFile file(kBytes);
    const auto open = [&](Writing writing) {
        return Image::open({.path = file.path(), .writing = writing, .lock_wait_ns = 0});
    };
    {
        const auto writer = open(Writing::allowed).value();
        const auto second = open(Writing::allowed);
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, ErrorCode::name_in_use);
        EXPECT_FALSE(open(Writing::never).has_value());
    }
    const auto reader = open(Writing::never).value();
    EXPECT_TRUE(open(Writing::never).has_value());
    EXPECT_FALSE(open(Writing::allowed).has_value());
}

// As that of a unit that was killed.
TEST(Image, WaitsForALockThatGoes) {
    const ImageFile file(kBytes);
    auto first = Image::open({.path = file.path()}).value();
    std::thread leaving([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        first.reset();
    });
    EXPECT_TRUE(Image::open({.path = file.path()}).has_value());
    leaving.join();
}

TEST(Image, ZeroesAndDiscardsAndFindsTheHoles) {
    const ImageFile file(kBytes);
    auto image = Image::open({.path = file.path()}).value();
    std::vector<std::byte> data(kBytes, std::byte{7});
    ASSERT_EQ(image->write(0, data.data(), data.size(), 0), 0);
    std::vector<abi::block::Extent> extents;
    ASSERT_EQ(image->extents(0, kBytes, 0, extents), 0);
    ASSERT_EQ(extents.size(), 1u);
    EXPECT_EQ(extents[0].length, kBytes);
    EXPECT_EQ(extents[0].flags, 0u);
    ASSERT_EQ(image->zero(64 << 10, 64 << 10, 0), 0);
    ASSERT_EQ(image->discard(256 << 10, 64 << 10, abi::block::request_flag::kFua), 0);
    ASSERT_EQ(image->zero(512 << 10, 64 << 10, abi::block::request_flag::kAllocate), 0);
    std::vector<std::byte> back(kBytes);
    ASSERT_EQ(image->read(0, back.data(), back.size()), 0);
    for (std::uint64_t i = 0; i < kBytes; ++i) {
        const std::uint64_t part = i >> 16;
        ASSERT_EQ(back[i], part == 1 || part == 4 || part == 8 ? std::byte{0} : std::byte{7}) << i;
    }
    ASSERT_EQ(image->extents(1000, kBytes - 1000, 0, extents), 0);
    std::uint64_t total = 0;
    for (const auto& extent : extents)
        total += extent.length;
    EXPECT_EQ(total, kBytes - 1000);
    EXPECT_EQ(image->flush(), 0);
}

TEST(Image, ReadsAndFlushesOfATruncatedOneFail) {
    const ImageFile file(kBytes);
    auto image = Image::open({.path = file.path()}).value();
    std::array<std::byte, 4096> data{};
    ASSERT_EQ(::truncate(file.path().c_str(), 4096), 0);
    EXPECT_EQ(image->read(0, data.data(), data.size()), 0);
    EXPECT_FALSE(image->truncated());
    EXPECT_EQ(image->flush(), EIO);
    EXPECT_TRUE(image->truncated());
    EXPECT_EQ(image->read(4096, data.data(), data.size()), EIO);
}

class DeviceTest : public testing::TestWithParam<Engine> {
protected:
    // As a unit does it: at once where that can be.
    [[nodiscard]] std::optional<int> give(const Order& order) {
        const auto done = device_->try_at_once(order);
        return done ? done : device_->submit(order);
    }
    [[nodiscard]] int run(Order order) {
        order.cookie = ++cookie_;
        if (const auto done = give(order))
            return *done;
        for (;;) {
            for (const Ended& ended : device_->ended()) {
                EXPECT_EQ(ended.cookie, cookie_);
                return ended.error;
            }
        }
    }
    ImageFile file_{kBytes, GetParam() == Engine::best ? "" : "/dev/shm"};
    std::unique_ptr<Image> image_ = Image::open({.path = file_.path()}).value();
    std::unique_ptr<Device> device_ = Device::make(*image_, GetParam(), {}).value();
    std::uint64_t cookie_ = 0;

    void TearDown() override { (void)::unlink(file_.path().c_str()); }
};
INSTANTIATE_TEST_SUITE_P(Engines, DeviceTest, testing::Values(Engine::best, Engine::threads),
                         [](const auto& each) {
                             return each.param == Engine::best ? "best" : "threads";
                         });

TEST_P(DeviceTest, DoesWhatIsOrdered) {
    namespace flag = abi::block::request_flag;
    std::vector<std::byte> data(100'000, std::byte{3});
    std::vector<std::byte> back(data.size());
    EXPECT_EQ(run({Operation::write, flag::kFua, 1000, data.size(), data.data()}), 0);
    EXPECT_EQ(run({Operation::flush}), 0);
    EXPECT_EQ(run({Operation::read, 0, 1000, back.size(), back.data()}), 0);
    EXPECT_TRUE(back == data);
    EXPECT_EQ(run({Operation::discard, 0, 4096, 8192}), 0);
    EXPECT_EQ(run({Operation::zero, flag::kAllocate, 20'000, 5000}), 0);
    std::vector<abi::block::Extent> extents;
    EXPECT_EQ(run({Operation::extents, 0, 0, kBytes, nullptr, &extents}), 0);
    EXPECT_FALSE(extents.empty());
    EXPECT_EQ(run({Operation::read, 0, 1000, back.size(), back.data()}), 0);
    EXPECT_EQ(back[5000 - 1000], std::byte{0});
    EXPECT_EQ(back[20'000 - 1000], std::byte{0});
    EXPECT_EQ(back[30'000 - 1000], std::byte{3});
    EXPECT_EQ(device_->under_way(), 0u);
}

TEST_P(DeviceTest, TellsOfErrorsAndOfTruncation) {
    std::vector<std::byte> data(8192);
    ASSERT_EQ(::truncate(file_.path().c_str(), 4096), 0);
    EXPECT_EQ(run({Operation::read, 0, 4096, 4096, data.data()}), EIO);
    EXPECT_TRUE(image_->truncated());
    EXPECT_EQ(run({Operation::write, 0, 0, 4096, data.data()}), EIO);
}

TEST_P(DeviceTest, ManyAtOnceEndOnceEach) {
    std::vector<std::byte> data(kBytes);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::byte>(i * 7 + i / 4096);
    std::vector<std::byte> back(kBytes);
    for (const Operation operation : {Operation::write, Operation::read}) {
        std::vector<int> ended(256);
        auto& memory = operation == Operation::write ? data : back;
        std::size_t outstanding = 0;
        for (std::uint64_t i = 0; i < 256; ++i) {
            const Order order{operation, 0, i * 4096, 4096, memory.data() + i * 4096, nullptr, i};
            if (const auto done = give(order)) {
                EXPECT_EQ(*done, 0);
                ++ended[i];
            } else {
                ++outstanding;
            }
        }
        while (outstanding != 0) {
            for (const Ended& each : device_->ended()) {
                EXPECT_EQ(each.error, 0);
                ++ended[each.cookie];
                --outstanding;
            }
        }
        EXPECT_TRUE(ended == std::vector<int>(256, 1));
    }
    EXPECT_TRUE(back == data);
}

}  // namespace
}  // namespace causeway::io::block
