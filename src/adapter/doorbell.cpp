#include "adapter/doorbell.hpp"

#include <new>
#include <utility>

#include "adapter/handed_back.hpp"
#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kPageSeals = platform::kSizeSeals | F_SEAL_SEAL;

}  // namespace

Result<std::shared_ptr<Doorbell>> Doorbell::create(CloseAside close_aside) {
    CW_TRY_ASSIGN(auto fd,
                  platform::create_memfd("causeway-doorbell", platform::kPage, kPageSeals));
    CW_TRY_ASSIGN(auto page, platform::Mapping::map(fd.get(), platform::kPage));
    CW_TRY(page.populate_write(0, platform::kPage));
    ::new (page.data()) abi::DoorbellLayout{};
    CW_TRY_ASSIGN(auto ends, platform::WakeupSocket::make_pair());
    return std::make_shared<Doorbell>(std::move(fd), std::move(page), std::move(ends.first),
                                      ends.second.release(), std::move(close_aside));
}

Result<std::shared_ptr<Doorbell>> Doorbell::resume(const platform::UniqueFd& page,
                                                   const JournaledFile& known,
                                                   CloseAside close_aside) {
    CW_TRY(require_file(page, known, platform::kPage));
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(page.get(), platform::kPage));
    CW_TRY(mapping.populate_write(0, platform::kPage));
    CW_TRY_ASSIGN(auto ends, platform::WakeupSocket::make_pair());
    return std::make_shared<Doorbell>(platform::UniqueFd(), std::move(mapping),
                                      std::move(ends.first), ends.second.release(),
                                      std::move(close_aside));
}

Doorbell::Doorbell(platform::UniqueFd fd, platform::Mapping page, platform::WakeupSocket socket,
                   platform::UniqueFd peer_socket, CloseAside close_aside)
    : page_fd(std::move(fd)),
      peer_socket_fd(std::move(peer_socket)),
      page_(std::move(page)),
      waker_(page_.at<abi::DoorbellLayout>()),
      waiter_(page_.at<abi::DoorbellLayout>()),
      socket_(std::move(socket)),
      close_aside_(std::move(close_aside)) {}

Doorbell::~Doorbell() {
    if (socket_.may_hold_descriptors())
        close_aside_(socket_.release());
}

void Doorbell::kick() noexcept {
    // A full socket means that a wake-up is pending; a peer that has gone needs none.
    (void)socket_.notify();
}

}  // namespace causeway::adapter
