package services;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one Elasticsearch node on loopback. Arguments: the home folder, the HTTP port, the folder for configuration and data. */
public final class ElasticsearchNode {

  public static void main(String[] arguments) throws Exception {
    Path home = Path.of(arguments[0]).toAbsolutePath();
    String port = arguments[1];
    Path own = Path.of(arguments[2]).toAbsolutePath();
    Path configuration = Files.createDirectories(own.resolve("config"));

    LogConfigurator.configureESLogging();
    Settings settings =
        Settings.builder()
            .put("path.home", home)
            .put("path.data", own.resolve("data"))
            .put("cluster.name", "tests")
            .put("node.name", "tests-0")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", port)
            .put("transport.port", "0")
            .put("node.store.allow_mmap", false)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    var environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), configuration, () -> "tests-0");
    var plugins =
        PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir(), false),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir(), false),
            Map.of());

    Node node = new Node(environment, plugins);
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
