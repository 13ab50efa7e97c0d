// Listener: a service of this partition that others connect to.
//
// Threading: accept() may be called from several threads, each with its own queue pair.
// Ownership: shares its partition; the destructor ends the service.
#pragma once

#include <causeway/abi/bus.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "client/queue_pair.hpp"

namespace causeway::client {

class Listener {
public:
    // `type`: as which controller the service is announced on the bus; none: not at all.
    [[nodiscard]] static Result<Listener> create(
        std::shared_ptr<Partition> partition, const std::string& service, std::uint32_t backlog,
        abi::ControllerType type = abi::ControllerType::none);
    Listener(Listener&& other) noexcept = default;
    Listener& operator=(Listener&&) = delete;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

    [[nodiscard]] bool here() const noexcept { return partition_->here(); }
    // Errors: again (timeout 0 and nobody waits), timed_out, wrong_state, not_found (the adapter
    // has withdrawn the controller).
    [[nodiscard]] Result<void> accept(QueuePair& pair, std::uint64_t timeout_ns);

private:
    Listener(std::shared_ptr<Partition> partition, std::string service, std::uint32_t id) noexcept
        : partition_(std::move(partition)), service_(std::move(service)), id_(id) {}

    std::shared_ptr<Partition> partition_;  // null: moved from
    std::string service_;
    std::uint32_t id_;
};

}  // namespace causeway::client
