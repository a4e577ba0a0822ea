// The networks that tyto knows, apart from what finds them, so that tests can link others.
#include "engine/networks/network.h"

namespace tyto {

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {ft_net(),
                                           resnet(),
                                           mobilenet_v2(),
                                           mobilenet_v2_flat(),
                                           vgg(),
                                           convnext(),
                                           densenet(),
                                           vision_transformer(),
                                           ssd300(),
                                           ssd300_vgg16(),
                                           ssdlite320_mobilenet_v3_large(),
                                           ssdlite_mobilenet_v2()};
  return all;
}

}  // namespace tyto
