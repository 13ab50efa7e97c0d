#include "io/network/device.hpp"

#include <cerrno>

namespace causeway::io::network {

IoResult Device::write(std::span<const std::byte> frame) noexcept {
    if (frame.size() < kMinFrame)
        return {IoStatus::refused, 0, EINVAL};
    return write(frame.first<kHeadSize>(), frame.subspan(kHeadSize));
}

const char* name(IoStatus status) noexcept {
    switch (status) {
        case IoStatus::done:
            return "done";
        case IoStatus::again:
            return "again";
        case IoStatus::refused:
            return "refused";
        case IoStatus::gone:
            return "gone";
    }
    return "unknown";
}

}  // namespace causeway::io::network
