#pragma once

#include "config/schema.h"

// The kinds of service discovery that are recognised and checked, but not active in this version.
// schema_sd.cc and schema_sd_cloud.cc.

namespace sonde::config {

extern const Block kAwsBlock;
extern const Block kAzureBlock;
extern const Block kConsulBlock;
extern const Block kDigitalOceanBlock;
extern const Block kDnsBlock;
extern const Block kDockerBlock;
extern const Block kDockerSwarmBlock;
extern const Block kEc2Block;
extern const Block kEcsBlock;
extern const Block kElasticacheBlock;
extern const Block kEurekaBlock;
extern const Block kGceBlock;
extern const Block kHetznerBlock;
extern const Block kIonosBlock;
extern const Block kKubernetesBlock;
extern const Block kKumaBlock;
extern const Block kLightsailBlock;
extern const Block kLinodeBlock;
extern const Block kMarathonBlock;
extern const Block kMskBlock;
extern const Block kNerveBlock;
extern const Block kNomadBlock;
extern const Block kOciBlock;
extern const Block kOpenStackBlock;
extern const Block kOutscaleBlock;
extern const Block kOvhCloudBlock;
extern const Block kPuppetDbBlock;
extern const Block kRdsBlock;
extern const Block kScalewayBlock;
extern const Block kServersetBlock;
extern const Block kStackitBlock;
extern const Block kTritonBlock;
extern const Block kUyuniBlock;
extern const Block kVultrBlock;

/// An http or https URL with a host.
void CheckHttpUrl(const BlockView& view, std::string_view key, Diagnostics& diagnostics);

}  // namespace sonde::config
