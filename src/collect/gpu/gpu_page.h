#pragma once

#include <string_view>

#include "collect/gpu/gpu_sampler.h"
#include "collect/host/host_page.h"

namespace sonde::collect {

/// Writes what is known of one driver: the vocabulary's accelerator metrics with `prefix`, and for
/// NVIDIA's devices the few names of nvidia_gpu_exporter and of scripts around nvidia-smi that
/// rules were published for (docs/collectors.md).
void WriteGpuPage(const GpuSnapshot& snapshot, std::string_view prefix, HostPage& page);

}  // namespace sonde::collect
