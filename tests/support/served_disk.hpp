// ServedDisk: an image of its own, and a block unit that serves it on a thread of its own.
//
// Threading: the test's thread starts and stops it.
// Ownership: owns image file and unit. Its partition is called "storage", the disk "disk0".
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "io/block/unit/unit.hpp"
#include "platform/clock.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {

namespace block = io::block;

// Serves until `stop` is set.
inline void serve_disk(block::BlockUnit& unit, const std::atomic<bool>& stop) {
    while (!stop.load(std::memory_order_relaxed) && !unit.service().ended()) {
        if (unit.step())
            continue;
        const std::uint64_t now = platform::monotonic_ns();
        const std::uint64_t until = unit.settle(now + 20'000'000);
        const auto device = unit.device().files();
        std::array<pollfd, 3> files{
            {{unit.service().fd(), POLLIN, 0}, {device[0], POLLIN, 0}, {device[1], POLLIN, 0}}};
        const timespec limit{0, static_cast<long>(until > now ? until - now : 0)};
        (void)::ppoll(files.data(), files.size(), &limit, nullptr);
    }
}

// A file of `bytes`, in a directory of its own.
class ImageFile {
public:
    explicit ImageFile(std::uint64_t bytes, const std::string& parent = {})
        : path_((parent.empty() ? directory_.path() : parent) + "/disk.img") {
        const platform::UniqueFd file(
            ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file || ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
            throw std::runtime_error("make " + path_);
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    TempDirectory directory_;
    std::string path_;
};

class ServedDisk {
public:
    using Change = std::function<void(block::ImageTerms&, block::UnitTerms&)>;
    static constexpr char kTarget[] = "storage/disk0";

    explicit ServedDisk(std::string socket, std::uint64_t bytes = 16 << 20)
        : socket_(std::move(socket)), file_(bytes) {}
    ~ServedDisk() { stop(); }
    ServedDisk(const ServedDisk&) = delete;
    ServedDisk& operator=(const ServedDisk&) = delete;

    void start(const Change& change = nullptr) {
        block::ImageTerms image;
        image.path = file_.path();
        block::UnitTerms unit;
        if (change)
            change(image, unit);
        image_ = block::Image::open(image).value();
        stop_ = false;
        up_ = false;
        thread_ = std::thread([this, unit] {
            auto partition = client::Partition::attach(socket_, "storage", {}).value();
            auto served = block::BlockUnit::open(partition, unit, *image_).value();
            up_ = true;
            up_.notify_all();
            serve_disk(*served, stop_);
            figures_ = served->figures();
            served.reset();
            partition->close();
        });
        up_.wait(false);
    }
    void stop() {
        if (!thread_.joinable())
            return;
        stop_ = true;
        thread_.join();
        image_.reset();
    }
    [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
    // Of every host, when it was stopped last.
    [[nodiscard]] const std::vector<block::BlockUnit::HostFigures>& figures() const noexcept {
        return figures_;
    }

private:
    std::string socket_;
    ImageFile file_;
    std::unique_ptr<block::Image> image_;
    std::vector<block::BlockUnit::HostFigures> figures_;
    std::atomic<bool> stop_{false};
    std::atomic<bool> up_{false};
    std::thread thread_;
};

}  // namespace causeway::test
