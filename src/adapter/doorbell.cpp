#include "adapter/doorbell.hpp"

#include <memory>
#include <new>
#include <utility>

#include "adapter/side_threads.hpp"
#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kPageSeals = platform::kSizeSeals | F_SEAL_SEAL;

}  // namespace

Result<std::shared_ptr<Doorbell>> Doorbell::create() {
    CW_TRY_ASSIGN(auto fd,
                  platform::create_memfd("causeway-doorbell", platform::kPage, kPageSeals));
    CW_TRY_ASSIGN(auto page, platform::Mapping::map(fd.get(), platform::kPage));
    CW_TRY(page.populate_write(0, platform::kPage));
    ::new (page.data()) abi::DoorbellLayout{};
    CW_TRY_ASSIGN(auto ends, platform::WakeupSocket::make_pair());
    return std::make_shared<Doorbell>(std::move(fd), std::move(page), std::move(ends.first),
                                      ends.second.release());
}

Doorbell::Doorbell(platform::UniqueFd fd, platform::Mapping page, platform::WakeupSocket socket,
                   platform::UniqueFd peer_socket)
    : page_fd(std::move(fd)),
      peer_socket_fd(std::move(peer_socket)),
      page_(std::move(page)),
      waker_(page_.at<abi::DoorbellLayout>()),
      waiter_(page_.at<abi::DoorbellLayout>()),
      socket_(std::move(socket)) {}

Doorbell::~Doorbell() {
    // The last owner may be a mover, which must not wait for a stranger's file to go.
    if (socket_.may_hold_descriptors()) {
        SideThreads aside(1);
        aside.post([end = std::make_shared<platform::UniqueFd>(socket_.release())] {});
    }
}

void Doorbell::kick() noexcept {
    // A full socket means that a wake-up is pending; a peer that has gone needs none.
    (void)socket_.notify();
}

}  // namespace causeway::adapter
