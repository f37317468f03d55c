package services;

import java.util.Collection;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

/**
 * Answers {@code GET /}. The module that does it in the distribution is not published, and the official client asks for it to be
 * sure that it talks to Elasticsearch.
 */
public final class RootPlugin extends Plugin implements ActionPlugin {

  private ClusterService cluster;

  @Override
  public Collection<?> createComponents(PluginServices services) {
    cluster = services.clusterService();
    return List.of();
  }

  @Override
  public Collection<RestHandler> getRestHandlers(
      RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
    return List.of(
        new BaseRestHandler() {
          @Override
          public String getName() {
            return "tests_root";
          }

          @Override
          public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
          }

          @Override
          protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            return channel ->
                channel.sendResponse(
                    new RestResponse(
                        RestStatus.OK,
                        channel
                            .newBuilder()
                            .startObject()
                            .field("name", cluster.getNodeName())
                            .field("cluster_name", cluster.getClusterName().value())
                            .field("cluster_uuid", cluster.state().metadata().clusterUUID())
                            .startObject("version")
                            .field("number", Build.current().qualifiedVersion())
                            .field("build_flavor", Build.current().flavor())
                            .field("build_hash", Build.current().hash())
                            .endObject()
                            .field("tagline", "You Know, for Search")
                            .endObject()));
          }
        });
  }
}
