// Backend: the disk of one nbdkit process. It attaches to the fabric, opens the disk, and does so
// anew when the partition has ended for good, so that a request sees no more of that than a delay.
//
// Threading: after open() any thread.
// Ownership: owns partition and disk, one of each at a time.
#pragma once

#include <memory>
#include <mutex>

#include "lane.hpp"
#include "settings.hpp"

namespace causeway::nbd {

class Backend {
public:
    Backend(const Settings& settings, StillWanted still_wanted) noexcept
        : settings_(settings), still_wanted_(still_wanted) {}

    // The first time. While another one may only have ended a moment ago (`again`), its name and
    // its place as the writer are waited for.
    enum class Try { once, again };
    [[nodiscard]] Result<void> open(Try how);
    // Does the request, waiting for adapter and unit where they are away.
    [[nodiscard]] Ended call(const cw_disk_request& request);
    // As the unit said when the disk was opened last.
    [[nodiscard]] cw_disk_info info() const;

private:
    // What ends, and is made, together.
    struct Session {
        Partition partition;
        std::unique_ptr<Lane> lane;
        cw_disk_info info{};
    };
    [[nodiscard]] Result<std::shared_ptr<Session>> make() const;
    [[nodiscard]] std::shared_ptr<Session> current() const;
    [[nodiscard]] std::shared_ptr<Session> renewed(std::chrono::steady_clock::time_point until);
    void retire(const std::shared_ptr<Session>& session);

    const Settings& settings_;
    StillWanted still_wanted_;
    std::mutex making_;
    mutable std::mutex mutex_;  // of what follows; never held while waiting
    std::shared_ptr<Session> session_;
    cw_disk_info info_{};
};

}  // namespace causeway::nbd
