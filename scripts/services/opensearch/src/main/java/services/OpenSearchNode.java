package services;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/** Starts one OpenSearch node on loopback. Arguments: the HTTP port, the folder for its configuration and data. */
public final class OpenSearchNode extends Node {

  private OpenSearchNode(Environment environment, List<Class<? extends Plugin>> plugins) {
    super(environment, plugins, false);
  }

  public static void main(String[] arguments) throws Exception {
    String port = arguments[0];
    Path home = Path.of(arguments[1]).toAbsolutePath();
    Path configuration = Files.createDirectories(home.resolve("config"));

    LogConfigurator.registerErrorListener();
    Settings settings =
        Settings.builder()
            .put("path.home", home)
            .put("cluster.name", "tests")
            .put("node.name", "tests-0")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", port)
            .put("http.type", "netty4")
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("node.store.allow_mmap", false)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();

    Node node =
        new OpenSearchNode(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), configuration, () -> "tests-0"),
            List.of(
                Netty4Plugin.class,
                CommonAnalysisPlugin.class,
                PainlessPlugin.class,
                ReindexPlugin.class,
                MapperExtrasPlugin.class));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    node.close();
                  } catch (Exception error) {
                    error.printStackTrace();
                  }
                }));
    node.start();
    Thread.currentThread().join();
  }
}
